package api

import (
	"golang.org/x/time/rate"

	"hooktape/internal/peraddress"
)

// Forget lets every address try again.
func (g *Guard) Forget() { g.failures = peraddress.New(rate.Every(wrongEvery), wrongAtOnce) }
