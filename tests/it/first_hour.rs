//! The first hour of a new operator.

use super::processes::Site;

#[test]
fn a_server_says_where_it_listens() {
    let site = Site::new();
    let proxy = site.start();
    let key = proxy.account("acct_a", 100);
    println!("{key} {}", proxy.process.told());
    proxy.stop();
}
