//! Journeys of single requests, from the client's bytes to the receipt.

use serde_json::json;

use super::world::World;

#[test]
fn a_paid_request_has_a_receipt() {
    let world = World::start(&[]);
    let maria = world.payer("studio", "100");
    let reply = world.send(&maria.images(2, "high")).ok();
    assert_eq!(reply.json()["data"].as_array().unwrap().len(), 2);
    assert_eq!(reply.header("credits-held"), Some("20"));
    assert_eq!(reply.header("credits-remaining"), Some("80"));
    let receipt = world.ended(&maria, &reply.charge(), "settled");
    assert_eq!(receipt["charged"], "20");
    assert_eq!(receipt["lines"][0]["amount"], json!("20"), "{receipt}");
    assert_eq!(world.purse(&maria).available, "80");
}
