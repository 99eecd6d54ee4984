// Package event is hooktape's domain: received webhooks, their deliveries, and selections of them. It imports no other
// package of hooktape, so every one may import it.
package event
