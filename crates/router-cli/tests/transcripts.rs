//! Every command as a person sees it: `tests/cmd/*.trycmd`.
//!
//! `TRYCMD=overwrite cargo nextest run -p router-cli --test transcripts` writes them anew.

#[test]
fn every_command_answers_as_its_transcript_says() {
    let cases = trycmd::TestCases::new();
    cases.env("NO_COLOR", "1").env("HOME", "home").env("COLUMNS", "100");
    cases.case("tests/cmd/*.trycmd");
}
