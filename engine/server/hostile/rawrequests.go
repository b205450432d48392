package hostile

import (
	"fmt"
	"strings"
)

// RawRequest is a request as it is written to a connection, which the sender then leaves open.
type RawRequest struct {
	Name string
	Text string
	// Status are the accepted statuses; Closed is one of them if the server may close the connection.
	Status []int
}

// Closed is the Status of a connection that was closed without a response.
const Closed = 0

// RawRequests returns requests that violate HTTP or are incomplete.
func RawRequests(host string, large int) (out []RawRequest) {
	add := func(name, text string, status ...int) { out = append(out, RawRequest{name, text, status}) }
	good := object("wire", "")
	head := func(lines ...string) string {
		return "POST /v1/events HTTP/1.1\r\nHost: " + host + "\r\nContent-Type: " + Structured + "\r\n" + strings.Join(append(lines, "", ""), "\r\n")
	}
	length := fmt.Sprintf("Content-Length: %d", len(good))
	chunk := func(body string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(body), body) }

	add("a length and chunks", head(length, "Transfer-Encoding: chunked")+chunk(good)+"0\r\n\r\n", 202, 400)
	add("a length of 0 and chunks, and a request within", head("Content-Length: 0", "Transfer-Encoding: chunked", "Connection: close")+chunk(good)+"0\r\n\r\nPOST /v1/events HTTP/1.1\r\n\r\n", 202, 400)
	add("two lengths", head(length, "Content-Length: 0")+good, 400)
	add("two lengths in one", head(length+", 0")+good, 400)
	add("a length below zero", head("Content-Length: -1")+good, 400)
	add("a length that is a word", head("Content-Length: much")+good, 400)
	add("a length with a sign", head(fmt.Sprintf("Content-Length: +%d", len(good)))+good, 400)
	add("a length of exabytes", head("Content-Length: 9000000000000000000")+good, 413)
	add("a length beyond 64 bits", head("Content-Length: 99999999999999999999999")+good, 400)
	add("a length that is too long", head("Content-Length: 1000")+good, 408)
	add("a length that is too short", head("Content-Length: 10", "Connection: close")+good, 400)
	add("an encoding of the transfer that nobody knows", head("Transfer-Encoding: xchunked")+good, 400, 501)
	add("an encoding of the transfer twice", head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked")+chunk(good)+"0\r\n\r\n", 400, 501)
	add("gzip on the transfer", head("Transfer-Encoding: gzip, chunked")+chunk(good)+"0\r\n\r\n", 400, 501)
	add("chunks without end", head("Transfer-Encoding: chunked")+chunk(good)+chunk(" "), 408)
	add("chunks beyond the limit", head("Transfer-Encoding: chunked")+strings.Repeat(chunk(repeat(" ", 1<<16)), max(2*large>>16, 1)), 413, 408)
	add("a chunk of exabytes", head("Transfer-Encoding: chunked")+"fffffffffffffff0\r\n"+good, 400, 408)
	add("a chunk beyond 64 bits", head("Transfer-Encoding: chunked")+strings.Repeat("f", 64)+"\r\n"+good, 400)
	add("a chunk of a word", head("Transfer-Encoding: chunked")+"zz\r\n"+good, 400)
	add("an extension of a chunk of 1 MB", head("Transfer-Encoding: chunked")+"5;"+repeat("x", min(large, 1<<20))+"\r\nhello\r\n0\r\n\r\n", 400, Closed)
	add("a trailer of 1 MB", head("Transfer-Encoding: chunked")+chunk(good)+"0\r\nX: "+repeat("x", min(large, 1<<20))+"\r\n\r\n", 202, 400, Closed)
	add("a body that never comes", head("Content-Length: 100"), 408)
	add("half a body", head(length)+good[:20], 408)
	add("a body that waits to be asked for", head(length, "Expect: 100-continue"), 100, 408)
	add("an expectation that nobody meets", head(length, "Expect: 200-maybe")+good, 417)
	add("headers without end", "POST /v1/events HTTP/1.1\r\nHost: "+host+"\r\nX: ", 408, Closed)
	add("headers beyond the limit", head("X: "+repeat("x", 200_000))+good, 431, Closed)
	add("a line of 1 MB", "POST /"+repeat("x", 1<<20)+" HTTP/1.1\r\n\r\n", 431, Closed)
	add("a header folded", head("X: a\r\n b", length)+good, 400, 202)
	add("a space before a colon", head("Content-Length : 1")+"1", 400)
	add("NUL in a header", head("X: a\x00b", length)+good, 400)
	add("a line feed alone", strings.ReplaceAll(head("X: a", length), "\r\n", "\n")+good, 202, 400)
	add("a carriage return alone", head("X: a\rTransfer-Encoding: chunked", length)+good, 400)
	add("no host", "POST /v1/events HTTP/1.1\r\n"+length+"\r\n\r\n"+good, 400)
	add("two hosts", head("Host: elsewhere", length)+good, 400)
	add("a host of elsewhere", strings.Replace(head(length), host, "evil.example", 1)+good, 401, 403)
	add("a page of elsewhere", head("Origin: https://evil.example", "Sec-Fetch-Site: cross-site", length)+good, 403)
	add("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, 400, Closed)
	add("HTTP/9.9", strings.Replace(head(length), "HTTP/1.1", "HTTP/9.9", 1)+good, 505, 400)
	add("HTTP/0.9", "GET /v1/events\r\n\r\n", 400)
	add("a method of its own", strings.Replace(head(length), "POST", "BREW", 1)+good, 405)
	add("a method of no characters", strings.Replace(head(length), "POST", "PO\x00ST", 1)+good, 400)
	add("the whole address", strings.Replace(head(length), "POST /v1/events", "POST http://evil.example/v1/events", 1)+good, 202, 400, 401, 403)
	add("a path that climbs", strings.Replace(head(length, "Connection: close"), "/v1/events", "/v1/../v1/events", 1)+good, 301, 307, 404)
	add("TLS", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400, 408, Closed)
	add("noise", repeat("\xff\x00\x80", 4096), 400, 408, 431, Closed)
	return out
}
