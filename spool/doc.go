// Package spool is a durable hand-off between two parties of different speed.
package spool
