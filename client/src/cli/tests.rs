//! What the command line takes and refuses.

use super::*;
use clap::CommandFactory;

fn parse(arguments: &[&str]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("assay").chain(arguments.iter().copied()))
}

#[test]
fn command_line_should_be_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn documented_commands_should_be_taken() {
    for line in [
        "model publish DIR --price 0.001 --description text --blobs dir",
        "model show 0",
        "embed 0 text another --blob-source http://a --blob-source http://b",
        "infer 0 prompt",
        "infer 0 --input - --json",
        "job 3",
        "job 3 --watch --json",
        "job cancel 3",
        "jobs",
        "workers --artifact 0",
        "estimate 0 text",
        "balance //Alice",
        "--rpc ws://host:1 --key //Alice jobs",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        if let Err(error) = parse(&arguments) {
            panic!("{line}: {error}");
        }
    }
}

#[test]
fn wrong_usage_should_be_refused() {
    for line in [
        "embed 0",
        "embed model text",
        "infer 0",
        "infer 0 prompt --input file",
        "job",
        "job x",
        "jobs --limit 0",
        "model publish DIR --price -1",
        "model publish DIR --price 0.0000000000001",
    ] {
        let arguments: Vec<_> = line.split(' ').collect();
        assert!(parse(&arguments).is_err(), "{line}");
    }
}

#[test]
fn every_command_should_have_an_example() {
    fn check(command: &clap::Command) {
        for command in command.get_subcommands().filter(|command| command.get_name() != "help") {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let is_group = command.has_subcommands() && help.is_empty();
            assert!(
                is_group || help.contains("Example"),
                "{} has no example",
                command.get_name()
            );
            check(command);
        }
    }
    check(&Cli::command());
}
