//! The command line: `--name value` or `--name=value`, read by hand.

use std::collections::HashMap;
use std::str::FromStr;

/// Flags without a value.
const SWITCHES: [&str; 2] = ["json", "help"];

/// What was given, until somebody takes it.
#[derive(Debug)]
pub struct Flags {
    given: HashMap<String, String>,
}

impl Flags {
    /// Reads every word; whatever is no flag is an error.
    pub fn read(words: impl IntoIterator<Item = String>) -> Result<Flags, String> {
        let (mut given, mut words) = (HashMap::new(), words.into_iter());
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").ok_or_else(|| format!("{word}: not a flag"))?;
            let (name, value) = match name.split_once('=') {
                Some((name, _)) if SWITCHES.contains(&name) => return Err(format!("--{name} takes no value")),
                Some((name, value)) => (name, value.to_owned()),
                None if SWITCHES.contains(&name) => (name, String::new()),
                None => (name, words.next().ok_or_else(|| format!("--{name} needs a value"))?),
            };
            if given.insert(name.to_owned(), value).is_some() {
                return Err(format!("--{name} is given twice"));
            }
        }
        Ok(Flags { given })
    }

    /// Whether a switch is on.
    pub fn switch(&mut self, name: &str) -> bool {
        self.given.remove(name).is_some()
    }

    /// A flag that may be left out.
    pub fn maybe<T: FromStr>(&mut self, name: &str) -> Result<Option<T>, String> {
        self.given.remove(name).map(|value| value.parse().map_err(|_| format!("--{name}: {value} will not do"))).transpose()
    }

    /// A flag that must be given.
    pub fn must<T: FromStr>(&mut self, name: &str) -> Result<T, String> {
        self.maybe(name)?.ok_or_else(|| format!("--{name} is missing"))
    }

    /// A number that must be given and lie between two.
    pub fn number(&mut self, name: &str, from: f64, to: f64) -> Result<f64, String> {
        let value = self.must(name)?;
        if (from..=to).contains(&value) { Ok(value) } else { Err(format!("--{name} must lie between {from} and {to}")) }
    }

    /// Complains of whatever nobody has taken.
    pub fn finish(self) -> Result<(), String> {
        let mut left: Vec<String> = self.given.into_keys().collect();
        left.sort();
        left.first().map_or(Ok(()), |name| Err(format!("--{name}: no such flag here")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(words: &str) -> Result<Flags, String> {
        Flags::read(words.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn flags_are_taken_once_and_none_is_left() {
        let mut given = flags("--listeners 10 --json --url=http://a/?b=c --seconds 2.5").unwrap();
        assert_eq!(given.must::<usize>("listeners"), Ok(10));
        assert_eq!(given.must::<String>("url").as_deref(), Ok("http://a/?b=c"));
        assert!(given.switch("json") && !given.switch("json") && !given.switch("help"));
        assert_eq!(given.maybe::<f64>("rate"), Ok(None));
        assert_eq!(given.number("seconds", 0.0, 3.0), Ok(2.5));
        assert_eq!(given.finish(), Ok(()));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (words, fault) in [
            ("x", "x: not a flag"),
            ("--url", "--url needs a value"),
            ("--json=1", "--json takes no value"),
            ("--a 1 --a 2", "--a is given twice"),
        ] {
            assert_eq!(flags(words).unwrap_err(), fault);
        }
        let mut given = flags("--listeners many --seconds 9 --extra 1").unwrap();
        assert_eq!(given.must::<usize>("listeners"), Err("--listeners: many will not do".to_owned()));
        assert_eq!(given.must::<String>("url"), Err("--url is missing".to_owned()));
        assert_eq!(given.number("seconds", 0.0, 3.0), Err("--seconds must lie between 0 and 3".to_owned()));
        assert_eq!(given.finish(), Err("--extra: no such flag here".to_owned()));
    }
}
