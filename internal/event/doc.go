// Package event is hooktape's domain: the webhook that arrived, the deliveries made of it, and the selection that names
// some of them. It imports nothing of ours, so that every other room may import it.
package event
