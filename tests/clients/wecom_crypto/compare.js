// Reads one JSON object on stdin, {encrypt: {aes, message, receiveid, random}, signature: {token, ts, nonce, enc},
// decrypt: {aes, encrypted}}, and writes what @wecom/crypto makes of each as one JSON object on stdout.
"use strict";
const { createRequire } = require("module");
const path = require("path");

const wecom = createRequire(path.join(process.argv[2], "package.json"))("@wecom/crypto");

const pieces = [];
process.stdin.on("data", (piece) => pieces.push(piece));
process.stdin.on("end", () => {
  const asked = JSON.parse(Buffer.concat(pieces).toString("utf8"));
  const answer = {};
  if (asked.encrypt) {
    const { aes, message, receiveid, random } = asked.encrypt;
    answer.encrypt = wecom.encrypt(aes, message, receiveid, Buffer.from(random, "utf8"));
  }
  if (asked.signature) {
    const { token, ts, nonce, enc } = asked.signature;
    answer.signature = wecom.getSignature(token, ts, nonce, enc);
  }
  if (asked.decrypt) {
    const { message, id } = wecom.decrypt(asked.decrypt.aes, asked.decrypt.encrypted);
    answer.decrypt = { message, id };
  }
  process.stdout.write(JSON.stringify(answer));
});
