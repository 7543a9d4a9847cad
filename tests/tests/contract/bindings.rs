//! The one table that gives the text's placeholders values.

use serde_json::Value;

use crate::{examples::Example, scene::Scene};

/// An example, ready to be sent.
pub struct Binding {
    pub path: String,
    pub body: Option<String>,
    pub answer: Value,
    key: String,
}

impl Binding {
    pub fn of(scene: &Scene, example: &Example) -> Self {
        let table = [
            // Placeholder in the text, what it stands for.
            ("{uuid-or-slug}", "performance".to_owned()),
            ("{uuid}", scene.server.to_string()),
            ("optional-uuid", scene.ssh_key.to_string()),
            ("target-service-uuid", scene.other.unwrap_or(scene.server).to_string()),
            ("{ip_uuid}", scene.ip.clone().unwrap_or_else(|| scene.server.to_string())),
            ("{link_uuid}", scene.link.0.clone()),
            ("csp_sh_abc...••••1234", scene.link.1.clone()),
        ];
        let bind = |text: &str| table.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        let body = example.body.as_deref().map(|body| with_promo_code(&bind(body)));
        let answer = serde_json::from_str(&bind(&example.answer.to_string())).unwrap();
        Self { path: bind(&example.path), body, answer, key: scene.customer.key.reveal().to_owned() }
    }

    pub fn header(&self, value: &str) -> String {
        value.replace("csp_live_your_api_key", &self.key)
    }
}

/// `"promo_code":"optional"` stands for a code or nothing; here for one of the example catalog.
fn with_promo_code(body: &str) -> String {
    body.replace(r#""promo_code":"optional""#, r#""promo_code":"WELCOME""#)
}

/// The answer of an example as the document shows it: of no provider by name.
pub fn of_any_provider(answer: &Value) -> Value {
    serde_json::from_str(&answer.to_string().replace("https://cybaaspace.com", "https://vps.example.com")).unwrap()
}

/// The body of an example as the document shows it: with some uuid and some promo code.
pub fn as_documented(body: &str) -> Value {
    let body = body.replace("optional-uuid", "...").replace("target-service-uuid", "...");
    serde_json::from_str(&with_promo_code(&body)).unwrap()
}
