// Package report turns what `wxgate bench` measured into medians and ratios, and writes
// them as a table, JSON, CSV and a plot.
package report
