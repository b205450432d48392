// Package plot draws: charts whose panels share a time axis, for a terminal and from
// the same description as SVG for a page; and for a terminal tables and bars of
// progress. A terminal's charts and tables are plain text with optional colour, so
// they are as good in a log as on a screen.
//
// It never asks what the numbers mean, and never writes a control character to
// what is not a terminal.
//
// Start reading at chart.go; canvas.go has a terminal's dots, svg.go the page.
package plot
