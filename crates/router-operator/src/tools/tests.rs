use std::fs;

use router_config::Secret;

use super::*;

fn wanted() -> Wanted {
    Wanted {
        base: "http://127.0.0.1:8787".to_owned(),
        key: Secret::new("gw_key".to_owned()),
        models: Models {
            main: "coding".to_owned(),
            small: Some("fast".to_owned()),
            offered: vec!["coding".to_owned(), "fast".to_owned()],
            ..Models::default()
        },
    }
}

fn places(folder: &Path) -> Places {
    Places { home: folder.join("home"), project: folder.join("project"), variables: |_| None }
}

/// Sets a tool up over the given text of its (first) file and returns the text afterwards.
fn set_up(places: &Places, tool: Tool, text: Option<&str>) -> String {
    let planned = plan(tool, &wanted(), places, Scope::User).unwrap();
    let path = planned.edits[0].path.clone();
    if let Some(text) = text {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    }
    let planned = plan(tool, &wanted(), places, Scope::User).unwrap();
    apply(&planned, tool, places, Scope::User).unwrap();
    fs::read_to_string(path).unwrap()
}

#[test]
fn every_file_is_made_and_gone_again_after_undo() {
    for tool in Tool::ALL {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let planned = plan(tool, &wanted(), &places, Scope::User).unwrap();
        assert!(!planned.edits.is_empty() || !planned.steps.is_empty(), "{tool:?}");
        assert!(planned.steps.iter().all(|step| !step.contains("gw_key")), "{tool:?}");
        if planned.edits.is_empty() {
            continue;
        }
        let applied = apply(&planned, tool, &places, Scope::User).unwrap();
        assert!(applied.files.iter().all(|file| file.exists()), "{tool:?}");
        for edit in &planned.edits {
            let diff = edit.diff("gw_key");
            assert!(diff.starts_with("--- /dev/null\n+++ ") && diff.contains("\n+"), "{diff}");
            assert!(!diff.contains("gw_key"), "{diff}");
        }
        let undone = undo(tool, &places, Scope::User).unwrap();
        assert_eq!(undone.removed, applied.files, "{tool:?}");
        assert!(applied.files.iter().all(|file| !file.exists()), "{tool:?}");
        assert!(matches!(undo(tool, &places, Scope::User), Err(ToolError::NotSetUp(_))));
    }
}

#[test]
fn claude_codes_other_settings_stay_and_a_second_key_goes() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let before = "{\n  // mine\n  \"env\": { \"FOO\": \"1\", \"ANTHROPIC_API_KEY\": \"sk\" },\n  \"model\": \"opus\",\n  \"permissions\": { \"allow\": [] }\n}\n";
    let after = set_up(&places, Tool::ClaudeCode, Some(before));
    for kept in ["// mine", "\"FOO\": \"1\"", "\"permissions\": { \"allow\": [] }"] {
        assert!(after.contains(kept), "{after}");
    }
    for set in [
        "\"ANTHROPIC_BASE_URL\": \"http://127.0.0.1:8787\"",
        "\"ANTHROPIC_DEFAULT_HAIKU_MODEL\": \"fast\"",
    ] {
        assert!(after.contains(set), "{after}");
    }
    assert!(!after.contains("ANTHROPIC_API_KEY") && !after.contains("\"model\""), "{after}");
    undo(Tool::ClaudeCode, &places, Scope::User).unwrap();
    let path = places.home.join(".claude/settings.json");
    assert_eq!(fs::read_to_string(path).unwrap(), before);
}

#[test]
fn codex_keeps_its_comments_and_other_providers() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let before =
        "# mine\nmodel = \"gpt-5\" # for now\n\n[model_providers.other]\nname = \"other\"\n";
    let after = set_up(&places, Tool::Codex, Some(before));
    for expect in [
        "# mine\nmodel = \"coding\" # for now\nmodel_provider = \"llm-router\"\n",
        "[model_providers.other]\nname = \"other\"\n",
        "[model_providers.llm-router]\nname = \"llm-router\"\nbase_url = \"http://127.0.0.1:8787/v1\"\n",
    ] {
        assert!(after.contains(expect), "{after}");
    }
    // A second time changes nothing, and undoing still finds the very first text.
    assert_eq!(set_up(&places, Tool::Codex, None), after);
    undo(Tool::Codex, &places, Scope::User).unwrap();
    assert_eq!(fs::read_to_string(places.home.join(".codex/config.toml")).unwrap(), before);
}

#[test]
fn yaml_files_are_edited_where_the_keys_are() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let before = "# mine\nmodel: gpt-5 # old\ndark-mode: true\n";
    let after = set_up(&places, Tool::Aider, Some(before));
    let expect = "# mine\nmodel: openai/coding\ndark-mode: true\nweak-model: openai/fast\n\
                  openai-api-base: \"http://127.0.0.1:8787/v1\"\nopenai-api-key: gw_key\n";
    assert_eq!(after, expect);
    let before = "name: Mine\nversion: 1.0.0\nschema: v1\nmodels:\n  # fast\n  - name: other\n    \
                  provider: ollama\n    roles:\n      - chat\nrules: []\n";
    let after = set_up(&places, Tool::Continue, Some(before));
    let entry = "  - name: llm-router\n    provider: openai\n    model: coding\n    \
                 apiBase: \"http://127.0.0.1:8787/v1\"\n    apiKey: gw_key\n";
    assert_eq!(after, before.replace("  - name: other", &format!("{entry}  - name: other")));
    undo(Tool::Continue, &places, Scope::User).unwrap();
    let path = places.home.join(".continue/config.yaml");
    assert_eq!(fs::read_to_string(&path).unwrap(), before);
    // An entry of that name is replaced wherever it stands.
    let both = yaml::put(&after, "models", "name", &serde_json::json!({"name": "other", "a": "b"}));
    let both = both.unwrap();
    assert!(
        both.contains("  - name: other\n    a: b\nrules: []\n") && !both.contains("roles"),
        "{both}"
    );
    let flow = yaml::put("models: [{name: x}]\n", "models", "name", &serde_json::json!({}));
    assert!(flow.is_err());
}

#[test]
fn undo_keeps_what_others_changed_and_refuses_to_guess() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    let before = "{\n  \"theme\": \"dark\",\n  \"a\": 1,\n  \"b\": 2,\n  \"c\": 3\n}\n";
    let after = set_up(&places, Tool::OpenCode, Some(before));
    let path = places.home.join(".config/opencode/opencode.json");
    fs::write(&path, after.replace("\"dark\"", "\"light\"")).unwrap();
    undo(Tool::OpenCode, &places, Scope::User).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), before.replace("\"dark\"", "\"light\""));
    let after = set_up(&places, Tool::OpenCode, None);
    let changed = after.replace("llm-router/coding", "llm-router/other");
    fs::write(&path, &changed).unwrap();
    assert!(matches!(undo(Tool::OpenCode, &places, Scope::User), Err(ToolError::Changed { .. })));
    assert_eq!(fs::read_to_string(&path).unwrap(), changed, "nothing is written");
}

#[test]
fn a_broken_file_is_left_alone_and_named() {
    for (tool, text) in [(Tool::ClaudeCode, "{ \"env\": "), (Tool::Codex, "model = ")] {
        let folder = tempfile::tempdir().unwrap();
        let places = places(folder.path());
        let path = plan(tool, &wanted(), &places, Scope::User).unwrap().edits[0].path.clone();
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        let error = plan(tool, &wanted(), &places, Scope::User).unwrap_err();
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn a_project_has_settings_of_its_own_where_the_tool_reads_them() {
    let folder = tempfile::tempdir().unwrap();
    let places = places(folder.path());
    for (tool, file) in [
        (Tool::ClaudeCode, ".claude/settings.local.json"),
        (Tool::OpenCode, "opencode.json"),
        (Tool::Aider, ".aider.conf.yml"),
        (Tool::GeminiCli, ".gemini/.env"),
        (Tool::Zed, ".zed/settings.json"),
    ] {
        let planned = plan(tool, &wanted(), &places, Scope::Project).unwrap();
        assert_eq!(planned.edits[0].path, places.project.join(file));
    }
    let refused = plan(Tool::Codex, &wanted(), &places, Scope::Project);
    assert!(matches!(refused, Err(ToolError::NoProject(_))));
}
