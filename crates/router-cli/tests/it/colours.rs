//! Colours are for terminals and never carry meaning.

use crate::common::Home;

#[test]
fn without_colours_the_text_is_the_same() {
    for arguments in [
        &["list"][..],
        &["provider", "list"],
        &["provider", "show", "one"],
        &["provider", "presets"],
        &["alias", "list"],
        &["limit", "list"],
        &["default", "set", "two/big", "--dry-run"],
        &["provider", "remove", "two", "--cascade", "--dry-run"],
        &["provider", "show", "nobody"],
        &["key", "client", "add", "ann", "--key=env:ANN", "--models=fast", "--dry-run"],
        &["explain", "--model", "nobody"],
        &["--help"],
    ] {
        let home = Home::new();
        let mut coloured = home.command(arguments);
        let coloured = coloured.env_remove("NO_COLOR").env("CLICOLOR_FORCE", "1").output().unwrap();
        let plain = home.run(arguments);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let both = format!("{}{}", text(&coloured.stdout), text(&coloured.stderr));
        assert!(both.contains('\u{1b}'), "no colour: {arguments:?}: {both}");
        let plain = format!("{}{}", plain.out, plain.err);
        assert!(!plain.contains('\u{1b}'), "colour: {arguments:?}: {plain}");
        assert_eq!(anstream::adapter::strip_str(&both).to_string(), plain, "{arguments:?}");
    }
}

#[test]
fn a_pipe_gets_no_colour() {
    let home = Home::new();
    let output = home.command(&["list"]).env_remove("NO_COLOR").output().unwrap();
    assert!(!output.stdout.contains(&0x1b));
}
