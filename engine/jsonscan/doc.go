// Package jsonscan looks at JSON text before anybody decodes it: whether it is JSON
// (RFC 8259), and whether it is within limits. A few bytes of text can become many of
// Go values: `[],` is 3 bytes, and 40 once decoded.
//
// It allocates nothing that grows with the text, but for 24 bytes for each member of
// the objects that are open where it reads. It decodes nothing, and does not look at
// the encoding: the caller has found out that the text is UTF-8.
//
// Start reading at Check; Members takes apart what Check let pass.
package jsonscan
