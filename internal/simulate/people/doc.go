// Package people has the parts of simulated subscribers: deterministic dice, names and other words.
package people
