//! `assay balance`: what an account has.

use super::{context::Context, failure::Failure, output::fields, render::asy};
use assay_client::AccountId;
use assay_types::view::Decimal;
use clap::Args;
use serde::Serialize;

/// Shows what an account has: free, on hold, frozen
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  assay balance //Alice")]
pub(super) struct Balance {
    /// The account: an SS58 address or a development key [default: the key's]
    account: Option<String>,
}

/// What `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct View {
    account: AccountId,
    /// May be spent, but for what is frozen.
    free: Decimal,
    /// On hold for bonds, fees and deposits.
    held: Decimal,
    /// Kept in the account by votes and locks.
    frozen: Decimal,
    /// What could be put on hold now.
    usable: Decimal,
}

impl Balance {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let account = context.account(self.account.as_deref())?;
        let funds = context.chain().await?.best().await?.funds(&account).await?;
        let view = View {
            account,
            free: funds.free.into(),
            held: funds.held.into(),
            frozen: funds.frozen.into(),
            usable: funds.usable().into(),
        };
        context.print(&view, |view| {
            fields(&[
                ("account", view.account.to_string()),
                ("free", asy(view.free)),
                ("held", asy(view.held)),
                ("frozen", asy(view.frozen)),
                ("usable", asy(view.usable)),
            ])
        })
    }
}
