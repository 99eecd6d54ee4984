package load

import "hooktape/internal/simulate"

// Options say what is sent where.
type Options struct {
	Addr   string // host:port
	Source string // of the hook URL
	Token  string
	Bodies simulate.Webhooks
	// First is the number of the first body; the others follow.
	First uint64
	// Requests is how many are sent at most; 0: until the context ends.
	Requests    uint64
	Connections int
	// Rate is how many requests are sent a second whether or not answers keep up with them (open loop), as far as there
	// are connections. 0: each connection sends the next request when it has the answer to the last (closed loop).
	Rate float64
}
