//! Watches text for stop sequences that the upstream does not watch for.

/// Finds the first stop sequence in text that comes in pieces.
#[derive(Debug)]
pub(super) struct StopScanner {
    stops: Vec<String>,
    /// Text that may be the start of a stop sequence and is not passed on yet.
    held: String,
}

impl StopScanner {
    pub(super) const fn new(stops: Vec<String>) -> Self {
        Self { stops, held: String::new() }
    }

    /// Takes more text. Gives the text that is safe to pass on, and the stop sequence if one is
    /// complete; then nothing that follows counts.
    pub(super) fn push(&mut self, text: &str) -> (String, Option<String>) {
        let mut all = std::mem::take(&mut self.held);
        all.push_str(text);
        let first = self
            .stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| all.find(stop.as_str()).map(|at| (at, stop)))
            .min_by_key(|(at, stop)| (*at, std::cmp::Reverse(stop.len())));
        if let Some((at, stop)) = first {
            let stop = stop.clone();
            all.truncate(at);
            return (all, Some(stop));
        }
        let keep = self.stops.iter().map(|stop| overlap(&all, stop)).max().unwrap_or(0);
        self.held = all.split_off(all.len() - keep);
        (all, None)
    }

    /// The text that was held back, when no more comes.
    pub(super) fn rest(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

/// Length of the longest end of `text` that is a true start of `stop`.
fn overlap(text: &str, stop: &str) -> usize {
    let longest = text.len().min(stop.len().saturating_sub(1));
    (1..=longest)
        .rev()
        .find(|&len| text.as_bytes().ends_with(stop.as_bytes().get(..len).unwrap_or(b"\0")))
        .filter(|&len| text.is_char_boundary(text.len() - len))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(stops: &[&str], pieces: &[&str]) -> (String, Option<String>) {
        let mut scanner = StopScanner::new(stops.iter().map(|s| (*s).to_owned()).collect());
        let mut seen = String::new();
        for piece in pieces {
            let (clean, hit) = scanner.push(piece);
            seen.push_str(&clean);
            if hit.is_some() {
                return (seen, hit);
            }
        }
        seen.push_str(&scanner.rest());
        (seen, None)
    }

    #[test]
    fn a_stop_sequence_is_found_however_it_is_cut() {
        let text = "one ⏹END two";
        for at in (0..=text.len()).filter(|&at| text.is_char_boundary(at)) {
            let (a, b) = text.split_at(at);
            assert_eq!(run(&["⏹END"], &[a, b]), ("one ".into(), Some("⏹END".into())), "{at}");
        }
    }

    #[test]
    fn text_that_only_begins_like_a_stop_is_passed_on() {
        assert_eq!(run(&["END", "aab"], &["aa", "a", "EN", "x", "EN"]), ("aaaENxEN".into(), None));
        assert_eq!(run(&["aab"], &["a", "a", "a", "b"]), ("a".into(), Some("aab".into())));
    }

    #[test]
    fn the_first_of_several_stops_counts() {
        assert_eq!(run(&["b", "a"], &["xab"]), ("x".into(), Some("a".into())));
    }
}
