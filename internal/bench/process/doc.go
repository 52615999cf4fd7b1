// Package process starts the servers that `wxgate bench` measures, and reads their resource
// usage from the operating system.
package process
