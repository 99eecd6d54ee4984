// Package testutil has helpers for the tests of several packages: waiting for a condition, free ports, a disk that can
// be filled, and damaged copies of files.
package testutil
