//! Whose token it is, and which account and zone are meant.

use router_operator::{Failure, Kind};
use serde_json::Value;

use crate::Api;

/// An account the token may use.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// Its name for people.
    pub name: String,
}

/// A domain in an account.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Zone {
    /// Its id: 32 hexadecimal digits.
    pub id: String,
    /// The domain.
    pub name: String,
}

impl Api {
    /// Checks that the token is valid and active. An account's own token is checked in `account`.
    pub async fn verify_token(&self, account: Option<&str>) -> Result<(), Failure> {
        let mut answer = self.get("/user/tokens/verify").await;
        if answer.is_err()
            && let Some(account) = account
        {
            let path = format!("/accounts/{}/tokens/verify", crate::api::segment(account));
            if let Ok(owned) = self.get(&path).await {
                answer = Ok(owned);
            }
        }
        let answer = answer.map_err(|failure| {
            if failure.kind == Kind::Unreachable {
                failure
            } else {
                let message = format!("Cloudflare does not accept the API token: {failure}");
                Failure { kind: Kind::Input, message, ..failure }
            }
        })?;
        match answer.get("status").and_then(Value::as_str) {
            Some("active") => Ok(()),
            status => {
                let status = status.unwrap_or("unknown");
                Err(Failure::input(format!("the API token is not active but {status}"))
                    .hint("make a new one at https://dash.cloudflare.com/profile/api-tokens"))
            }
        }
    }

    /// Every account the token's owner is a member of.
    pub async fn accounts(&self) -> Result<Vec<Account>, Failure> {
        let entries = match self.list("/memberships").await {
            Ok(entries) => entries,
            // Tokens without read access to memberships may still list accounts.
            Err(failure) if failure.kind == Kind::Input => self.list("/accounts").await?,
            Err(failure) => return Err(failure),
        };
        let mut accounts: Vec<Account> = Vec::new();
        for entry in &entries {
            let Some(account) = account(entry.get("account").unwrap_or(entry)) else { continue };
            if accounts.iter().all(|seen| seen.id != account.id) {
                accounts.push(account);
            }
        }
        Ok(accounts)
    }

    /// Every zone of an account the token may read.
    pub async fn zones(&self, account: &str) -> Result<Vec<Zone>, Failure> {
        let entries =
            self.list(&format!("/zones?account.id={}", crate::api::segment(account))).await?;
        Ok(entries.iter().filter_map(zone).collect())
    }
}

fn account(value: &Value) -> Option<Account> {
    let text = |name| value.get(name).and_then(Value::as_str);
    let id = text("id").or_else(|| text("account_id")).or_else(|| text("accountId"))?;
    Some(Account { id: id.to_owned(), name: text("name").unwrap_or(id).to_owned() })
}

fn zone(value: &Value) -> Option<Zone> {
    let text = |name| value.get(name).and_then(Value::as_str).map(str::to_owned);
    Some(Zone { id: text("id")?, name: text("name")? })
}

/// The account that was named, or the only one there is.
pub fn choose_account(accounts: &[Account], wanted: Option<&str>) -> Result<Account, Failure> {
    let listed = || {
        let lines = accounts.iter().map(|each| format!("{} ({})", each.id, each.name));
        lines.collect::<Vec<_>>().join(", ")
    };
    match (wanted, accounts) {
        (_, []) => Err(Failure::input("the API token belongs to no account")
            .hint("it needs read access to memberships")),
        (Some(wanted), _) => {
            let wanted = wanted.trim();
            accounts.iter().find(|each| each.id == wanted).cloned().ok_or_else(|| {
                Failure::input(format!("the API token has no access to account {wanted}"))
                    .hint(format!("it has access to {}", listed()))
            })
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(Failure::input("the API token has access to several accounts")
            .hint(format!("say which with --account-id: {}", listed()))),
    }
}

/// The zone a host belongs to: the one that was named, or the longest that its name ends with.
pub fn find_zone(zones: &[Zone], host: &str, wanted: Option<&str>) -> Result<Zone, Failure> {
    let covers = |zone: &str| {
        let host = host.trim_start_matches("*.");
        host == zone || host.strip_suffix(zone).is_some_and(|rest| rest.ends_with('.'))
    };
    let wanted = wanted.map(|name| name.trim().trim_end_matches('.').to_ascii_lowercase());
    if let Some(wanted) = &wanted
        && !covers(wanted)
    {
        return Err(Failure::input(format!("`{host}` is not in the zone `{wanted}`"))
            .hint("the host of a route ends with the name of its zone"));
    }
    let fits =
        |zone: &&Zone| wanted.as_ref().map_or_else(|| covers(&zone.name), |w| zone.name == *w);
    zones.iter().filter(fits).max_by_key(|zone| zone.name.len()).cloned().ok_or_else(|| {
        let what = wanted.as_ref().map_or_else(
            || format!("no zone of the account covers `{host}`"),
            |wanted| format!("the account has no zone `{wanted}` that the token may read"),
        );
        let names: Vec<_> = zones.iter().take(20).map(|zone| zone.name.as_str()).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Failure::input(what).hint(format!(
            "zones the token may read: {names}; add the domain to Cloudflare, or give the token \
             access to it"
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones(names: &[&str]) -> Vec<Zone> {
        names
            .iter()
            .map(|name| Zone { id: format!("id-{name}"), name: (*name).to_owned() })
            .collect()
    }

    #[test]
    fn the_longest_zone_that_covers_a_host_is_its_zone() {
        let zones = zones(&["co.uk", "shop.co.uk", "api.shop.co.uk", "hop.co.uk"]);
        let find = |host: &str| find_zone(&zones, host, None).map(|zone| zone.name);
        assert_eq!(find("llm.api.shop.co.uk").unwrap(), "api.shop.co.uk");
        assert_eq!(find("shop.co.uk").unwrap(), "shop.co.uk");
        assert_eq!(find("*.shop.co.uk").unwrap(), "shop.co.uk");
        assert!(find("example.com").unwrap_err().hint.unwrap().contains("shop.co.uk"));
        assert!(find_zone(&zones, "llm.example.com", Some("shop.co.uk")).is_err());
        assert!(find_zone(&zones, "a.gone.uk", Some("gone.uk")).is_err());
    }

    #[test]
    fn only_an_unmistakable_account_is_used() {
        let account = |id: &str| Account { id: id.to_owned(), name: format!("name of {id}") };
        let both = [account("a"), account("b")];
        assert_eq!(choose_account(&both, Some(" b ")).unwrap().id, "b");
        assert_eq!(choose_account(&[account("a")], None).unwrap().id, "a");
        assert!(choose_account(&both, None).unwrap_err().hint.unwrap().contains("name of b"));
        assert!(choose_account(&both, Some("c")).is_err());
        assert!(choose_account(&[], None).is_err());
    }
}
