//! What clients, load balancers and upstreams connect by: HTTP/1.1 and HTTP/2, in clear and under TLS.

mod behaviours;
mod certificates;
mod heads;
mod limits;
mod line;
mod proxied;
mod resets;
mod service;
mod tools;
mod upstreams;
