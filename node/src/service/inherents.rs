//! What a block's author puts into it unasked: slot and time.

use assay_runtime::{opaque::Block, Hash};
use sp_consensus_babe::inherents::InherentDataProvider as SlotProvider;
use sp_consensus_babe::SlotDuration;
use sp_inherents::CreateInherentDataProviders;
use sp_timestamp::InherentDataProvider as TimestampProvider;

/// Provides time by the system's clock, and the slot that follows from it. Used to author blocks
/// and to check those of others.
#[derive(Clone, Copy, Debug)]
pub(super) struct SlotInherents {
    slot_duration: SlotDuration,
}

impl SlotInherents {
    /// With the chain's slot duration.
    pub(super) fn new(slot_duration: SlotDuration) -> Self {
        Self { slot_duration }
    }
}

#[async_trait::async_trait]
impl CreateInherentDataProviders<Block, ()> for SlotInherents {
    type InherentDataProviders = (SlotProvider, TimestampProvider);

    async fn create_inherent_data_providers(
        &self,
        _parent: Hash,
        _extra: (),
    ) -> Result<Self::InherentDataProviders, Box<dyn std::error::Error + Send + Sync>> {
        let timestamp = TimestampProvider::from_system_time();
        let slot = SlotProvider::from_timestamp_and_slot_duration(*timestamp, self.slot_duration);
        Ok((slot, timestamp))
    }
}
