//! The command `media-load`: a load generator for any WHIP/WHEP server.

mod clock;
mod crowd;
mod door;
mod flags;
mod floor;
mod http;
mod join;
mod listen;
mod listener;
mod sound;
mod speak;
mod tally;
mod wire;

use std::io::Write;
use std::process::ExitCode;

use serde_json::Value;

use crate::flags::Flags;
use crate::floor::Floor;
use crate::listen::Listen;
use crate::speak::Speak;

const HELP: &str = include_str!("help.txt");

/// What the command line asks for.
#[derive(Debug, PartialEq)]
enum Command {
    Help,
    Listen(Listen),
    Speak(Speak),
    Floor(Floor),
}

fn command(words: impl IntoIterator<Item = String>) -> Result<Command, String> {
    let mut words = words.into_iter();
    let name = words.next().ok_or("listen, speak or floor?")?;
    if name == "--help" || name == "help" {
        return Ok(Command::Help);
    }
    let mut flags = Flags::read(words)?;
    if flags.switch("help") {
        return Ok(Command::Help);
    }
    let command = match name.as_str() {
        "listen" => Command::Listen(Listen::of(&mut flags)?),
        "speak" => Command::Speak(Speak::of(&mut flags)?),
        "floor" => Command::Floor(Floor::of(&mut flags)?),
        _ => return Err(format!("{name}: no such command; listen, speak or floor?")),
    };
    flags.finish().map(|()| command)
}

/// The figures as one line of JSON, or a line each.
fn show(figures: &Value, json: bool) -> String {
    match figures.as_object().filter(|_| !json) {
        Some(all) => all.iter().map(|(name, value)| format!("{name:<22} {value}\n")).collect(),
        None => format!("{figures}\n"),
    }
}

fn main() -> ExitCode {
    let say = |text: &str| {
        let _ = writeln!(std::io::stderr(), "media-load: {text}");
    };
    let (figures, json) = match command(std::env::args().skip(1)) {
        Err(fault) => {
            say(&format!("{fault}\nTry: media-load --help"));
            return ExitCode::from(2);
        }
        Ok(Command::Help) => {
            let _ = std::io::stdout().write_all(HELP.as_bytes());
            return ExitCode::SUCCESS;
        }
        Ok(Command::Listen(listen)) => (listen.run(), listen.json),
        Ok(Command::Speak(speak)) => (speak.run(), speak.json),
        Ok(Command::Floor(floor)) => (floor.run(), floor.json),
    };
    match figures {
        Ok(figures) => {
            let _ = std::io::stdout().write_all(show(&figures, json).as_bytes());
            ExitCode::SUCCESS
        }
        Err(fault) => {
            say(&fault);
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Result<Command, String> {
        command(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn commands_and_what_is_wrong_with_them() {
        assert_eq!(of("listen --help"), Ok(Command::Help));
        assert!(matches!(of("listen --url http://a/whep --listeners 10 --seconds 5 --rate 100 --sample 3 --json"), Ok(Command::Listen(_))));
        assert!(matches!(of("speak --url http://a/whip --bearer t --babble 3 --level -6 --seconds 5"), Ok(Command::Speak(_))));
        assert!(matches!(of("floor --listeners 10 --seconds 1"), Ok(Command::Floor(_))));
        for (words, fault) in [
            ("", "listen, speak or floor?"),
            ("sing", "sing: no such command; listen, speak or floor?"),
            ("listen --url http://a/ --seconds 5", "--listeners is missing"),
            ("listen --url http://a/ --listeners 1 --seconds 5 --tone 9", "--tone: no such flag here"),
            ("listen --url http://a/ --listeners 1 --seconds 5 --rate 0", "--rate must be more than 0"),
            ("listen --url https://a/ --listeners 1 --seconds 5", "https://a/: only http:// URLs are supported"),
            ("speak --url http://a/ --tone 440 --babble 1 --seconds 5", "--wav, --tone and --babble exclude each other"),
            ("floor --listeners 0 --seconds 1", "--listeners must lie between 1 and 1000000"),
        ] {
            assert_eq!(of(words), Err(fault.to_owned()), "{words}");
        }
    }

    #[test]
    fn every_flag_and_figure_is_in_the_help() {
        for word in ["listen", "speak", "floor", "--bearer", "--rate", "--sample", "--wav", "--level", "--bytes", "join_ms", "behind_ms"] {
            assert!(HELP.contains(word), "{word}");
        }
    }
}
