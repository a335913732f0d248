// Answers every request with the same JSON and tells its parent what it got: one line of JSON for each.
// The lenient parser on purpose: it takes what the strict one would refuse.
import { createServer } from "node:http";

let number = 0;
const server = createServer({ insecureHTTPParser: true }, (request, response) => {
  const { method, url, rawHeaders } = request;
  const seen = { number: ++number, method, url, headers: rawHeaders, length: 0 };
  console.log(JSON.stringify({ ...seen, at: "head" }));
  request.on("data", (part) => (seen.length += part.length));
  request.on("end", () => {
    console.log(JSON.stringify({ ...seen, at: "end" }));
    response.setHeader("content-type", "application/json");
    response.end('{"data":[1],"seconds":60}');
  });
});
server.on("clientError", (error, socket) => {
  console.log(JSON.stringify({ at: "error", error: error.code }));
  socket.destroy();
});
server.listen(0, "127.0.0.1", () => console.log(JSON.stringify({ at: "port", port: server.address().port })));
