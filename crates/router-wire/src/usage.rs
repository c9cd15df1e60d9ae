//! Token counts in one meaning, whatever the dialect counts in.
//!
//! | dialect | input figure | cache read | cache write | output figure |
//! |---|---|---|---|---|
//! | Messages | uncached only | beside it | beside it | reasoning included |
//! | Chat, Responses | all three | contained | contained | reasoning included |
//! | Gemini | all three | contained | contained | reasoning beside it |

/// Tokens of one exchange. What an upstream does not report stays absent.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Usage {
    /// Input that was neither read from nor written to a prompt cache.
    pub input_uncached: Option<u64>,
    /// Input read from a prompt cache.
    pub cache_read: Option<u64>,
    /// Input written to a prompt cache, all lifetimes together.
    pub cache_write: Option<u64>,
    /// The part of `cache_write` kept for an hour, where the upstream splits it (Anthropic).
    pub cache_write_1h: Option<u64>,
    /// Output, reasoning included.
    pub output: Option<u64>,
    /// The part of `output` that was reasoning.
    pub reasoning: Option<u64>,
    /// Web searches the vendor ran.
    pub web_searches: Option<u64>,
    /// The input by what it was, as far as Chat and Gemini tell.
    pub input_kinds: Kinds,
    /// The output by what it was.
    pub output_kinds: Kinds,
}

/// Tokens by the kind of content; 0 where the upstream says nothing.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Kinds {
    /// Text.
    pub text: u64,
    /// Sound.
    pub audio: u64,
    /// Pictures.
    pub image: u64,
}

impl Kinds {
    /// The figures that are there, and what they are of.
    pub fn each(self) -> impl Iterator<Item = (&'static str, u64)> {
        let all = [("text", self.text), ("audio", self.audio), ("image", self.image)];
        all.into_iter().filter(|(_, count)| *count > 0)
    }

    /// The figure of a kind, in lower case; nothing for kinds no two dialects share.
    pub fn slot(&mut self, kind: &str) -> Option<&mut u64> {
        match kind {
            "text" => Some(&mut self.text),
            "audio" => Some(&mut self.audio),
            "image" => Some(&mut self.image),
            _ => None,
        }
    }
}

impl Usage {
    /// From figures that contain the cached part (Chat, Responses, Gemini). Where the parts exceed
    /// the whole, the whole is taken to be exclusive already.
    pub const fn from_inclusive(
        input: Option<u64>,
        cache_read: Option<u64>,
        cache_write: Option<u64>,
    ) -> Self {
        let read = or_zero(cache_read);
        let write = or_zero(cache_write);
        let input_uncached = match input {
            Some(all) => match all.checked_sub(read.saturating_add(write)) {
                Some(rest) => Some(rest),
                None => Some(all),
            },
            None => None,
        };
        Self {
            input_uncached,
            cache_read,
            cache_write,
            cache_write_1h: None,
            output: None,
            reasoning: None,
            web_searches: None,
            input_kinds: NO_KINDS,
            output_kinds: NO_KINDS,
        }
    }

    /// All input, cached or not.
    pub const fn input(&self) -> u64 {
        or_zero(self.input_uncached)
            .saturating_add(or_zero(self.cache_read))
            .saturating_add(or_zero(self.cache_write))
    }

    /// All output.
    pub const fn output(&self) -> u64 {
        or_zero(self.output)
    }

    /// All tokens.
    pub const fn total(&self) -> u64 {
        self.input().saturating_add(self.output())
    }

    /// Whether nothing was reported.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds the figures of another call.
    pub fn add(&mut self, other: &Self) {
        self.combine(
            other,
            |own, value| match (own, value) {
                (Some(own), Some(value)) => Some(own.saturating_add(value)),
                (own, value) => own.or(value),
            },
            |own, kinds| Kinds {
                text: own.text.saturating_add(kinds.text),
                audio: own.audio.saturating_add(kinds.audio),
                image: own.image.saturating_add(kinds.image),
            },
        );
    }

    /// Takes over the figures that `newer` has.
    pub fn merge(&mut self, newer: &Self) {
        let newest = |own: Kinds, kinds| if kinds == NO_KINDS { own } else { kinds };
        self.combine(newer, |own, value| value.or(own), newest);
    }

    /// Puts what `count` and `kinds` make of both in the place of each figure.
    fn combine(
        &mut self,
        other: &Self,
        count: impl Fn(Option<u64>, Option<u64>) -> Option<u64>,
        kinds: impl Fn(Kinds, Kinds) -> Kinds,
    ) {
        *self = Self {
            input_uncached: count(self.input_uncached, other.input_uncached),
            cache_read: count(self.cache_read, other.cache_read),
            cache_write: count(self.cache_write, other.cache_write),
            cache_write_1h: count(self.cache_write_1h, other.cache_write_1h),
            output: count(self.output, other.output),
            reasoning: count(self.reasoning, other.reasoning),
            web_searches: count(self.web_searches, other.web_searches),
            input_kinds: kinds(self.input_kinds, other.input_kinds),
            output_kinds: kinds(self.output_kinds, other.output_kinds),
        };
    }
}

const NO_KINDS: Kinds = Kinds { text: 0, audio: 0, image: 0 };

const fn or_zero(value: Option<u64>) -> u64 {
    match value {
        Some(value) => value,
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_uncached_part_is_never_negative() {
        let usage = |input, read, write| {
            Usage::from_inclusive(Some(input), Some(read), Some(write)).input_uncached
        };
        assert_eq!(usage(100, 60, 10), Some(30));
        assert_eq!(usage(10, 60, 0), Some(10), "an input below its cached part is exclusive");
        assert_eq!(Usage::from_inclusive(None, Some(5), None).input(), 5);
    }

    #[test]
    fn later_figures_replace_only_what_they_have() {
        let mut usage = Usage { input_uncached: Some(9), output: Some(1), ..Usage::default() };
        usage.merge(&Usage { output: Some(40), ..Usage::default() });
        assert_eq!((usage.input_uncached, usage.output), (Some(9), Some(40)));
        assert_eq!(usage.total(), 49);
    }
}
