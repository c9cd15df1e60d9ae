//! The published JSON Schema follows the types.

/// Where the schema is published.
const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../schema/llm-router.schema.json");

#[test]
fn the_published_schema_is_fresh() {
    let mut fresh = serde_json::to_string_pretty(&router_config::schema::json_schema()).unwrap();
    fresh.push('\n');
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        std::fs::create_dir_all(std::path::Path::new(PATH).parent().unwrap()).unwrap();
        std::fs::write(PATH, &fresh).unwrap();
    }
    let published = std::fs::read_to_string(PATH).unwrap_or_default();
    assert!(published == fresh, "run the tests of router-config with UPDATE_SCHEMA=1 and commit");
}
