// Package redact keeps secrets out of what people read.
package redact

import (
	"errors"
	"net/url"
)

// Mask stands in the place of a secret.
const Mask = "***"

// WithoutURL returns an error of net/http or net/url without the URL, which may hold a secret.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
