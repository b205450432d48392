// Package jsonscan validates JSON text before it is decoded: its syntax (RFC 8259), and
// limits. A few bytes of text can become many bytes of Go values: `[],` is 3 bytes, and 40
// once decoded.
//
// It decodes nothing. Its allocations don't grow with the text, except for 24 bytes for each
// member of the objects around the current byte. It does not check the encoding: the caller
// has validated that the text is UTF-8.
//
// Start reading at Check. Members reads an object that Check has accepted.
package jsonscan
