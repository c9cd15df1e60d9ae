//! How good a client key is, and making one that is good.

/// Characters of a good key at least.
const CHARS_MIN: usize = 24;
/// Kinds of characters (lower case, upper case, digits, others) of a good key at least.
const KINDS_MIN: usize = 3;
/// The same character in a row at most.
const RUN_MAX: usize = 5;
/// Words guessers try first.
const WORDS: [&str; 9] =
    ["password", "changeme", "default", "secret", "token", "admin", "qwerty", "letmein", "123456"];

/// Why a key is weak, or nothing if it is not.
pub fn weakness(key: &str) -> Option<String> {
    let count = key.chars().count();
    if count < CHARS_MIN {
        return Some(format!("it has {count} characters, fewer than {CHARS_MIN}"));
    }
    let kinds: [fn(char) -> bool; 4] = [
        |c| c.is_lowercase(),
        |c| c.is_uppercase(),
        |c| c.is_ascii_digit(),
        |c| !c.is_lowercase() && !c.is_uppercase() && !c.is_ascii_digit(),
    ];
    if kinds.iter().filter(|is| key.chars().any(**is)).count() < KINDS_MIN {
        return Some(format!(
            "it has fewer than {KINDS_MIN} of: lower case, upper case, digits, other characters"
        ));
    }
    let lower = key.to_lowercase();
    if let Some(word) = WORDS.iter().find(|word| lower.contains(*word)) {
        return Some(format!("it contains `{word}`"));
    }
    let (mut run, mut last) = (0, None);
    for c in key.chars() {
        run = if last == Some(c) { run + 1 } else { 1 };
        last = Some(c);
        if RUN_MAX < run {
            return Some(format!("it repeats one character more than {RUN_MAX} times"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weak_keys_are_told_why() {
        for (key, why) in [
            ("short", "5 characters"),
            ("abcdefghijklmnopqrstuvwxyz", "fewer than 3"),
            ("My-Password-is-very-long-99", "`password`"),
            ("aaaaaaBCD123-efgh-IJKL-456", "repeats"),
        ] {
            assert!(weakness(key).unwrap().contains(why), "{key}");
        }
        assert_eq!(weakness("gw_Vt7kQz1xW9mLp3Rs5Yd8Bn2C"), None);
    }
}
