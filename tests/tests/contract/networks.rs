//! The text's last part: private networks, listed in columns without examples. Each route is played once, in the order in
//! which a customer comes to it, with the body that the text shows.

use serde_json::{Value, json};

use crate::{examples::Example, scene::Scene};

struct Player(Scene);

impl Player {
    async fn play(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let send = self.0.control.raw(method, &format!("/api/v1{path}")).by(&self.0.customer);
        let reply = match body {
            Some(body) => send.json(&body).send().await,
            None => send.send().await,
        };
        assert_eq!((reply.status.as_u16(), &reply.json["ok"]), (200, &json!(true)), "{method} {path}: {}", reply.text);
        reply.json
    }
}

#[tokio::test]
async fn private_networks_are_played_as_the_text_lists_them() {
    let nothing =
        Example { method: String::new(), path: String::new(), headers: Vec::new(), body: None, answer: Value::Null };
    let player = Player(Scene::for_example(&nothing).await);
    let server = player.0.server;
    let subnets = player.play("GET", "/private-networks/subnets", None).await;
    assert_eq!(
        subnets["data"][0],
        json!({"range": "10.64.0.0/12", "prefix": 24, "total": 4096, "used": 0, "free": 4096})
    );
    let made = player.play("POST", "/private-networks", Some(json!({"name": "Internal network"}))).await;
    let network = made["data"]["uuid"].as_str().unwrap().to_owned();
    let attach = format!("/private-networks/{network}/attach");
    let attached = player.play("POST", &attach, Some(json!({"server_uuid": server}))).await;
    assert_eq!(attached["message"], "Private network attachment queued.");
    let list = player.play("GET", "/private-networks", None).await;
    let member = list["data"][0]["members"][0].clone();
    let wanted = json!({
        "membership_id": attached["data"]["membership_id"], "server_uuid": server, "hostname": "web1",
        "address": attached["data"]["address"], "adapter": "net1", "status": "queued",
    });
    assert_eq!(member, wanted);
    let path = format!("/private-networks/{network}/members/{}", member["membership_id"].as_str().unwrap());
    let detached = player.play("DELETE", &path, None).await;
    assert_eq!(detached["message"], "Private network detachment queued.");
}
