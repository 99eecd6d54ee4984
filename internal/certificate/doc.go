// Package certificate brings a listener its TLS certificate: from two files that somebody keeps up to date, or from an
// authority by ACME (RFC 8555), such as Let's Encrypt.
//
// What it promises: a certificate changes under a listener without a connection lost; what is in force is never replaced
// by something worse; and what is wrong is said before senders notice it. It assumes a clock that is right to the hour.
package certificate
