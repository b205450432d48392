// Package plot draws in a terminal: charts whose panels share a time axis, tables,
// and bars of progress. Charts and tables are plain text with optional colour, so
// they are as good in a log as on a screen.
//
// It never asks what the numbers mean, and never writes a control character to
// what is not a terminal.
//
// Start reading at chart.go; canvas.go has the dots.
package plot
