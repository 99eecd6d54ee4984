// Package testutil has what tests of several packages share: waiting for a condition, free ports, a disk that can be
// filled, and damaged copies of files.
package testutil
