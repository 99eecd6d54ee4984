package bothelp

// Bounds of decoding; the whole body is stored elsewhere.
const (
	// maxPlain bounds a body once decompressed. Without compression the receiver has bounded it already.
	maxPlain = 8 << 20
	// maxRatio and minPlain bound it by the size of the body: JSON of subscribers shrinks by 3 to 20 times, a bomb by
	// 1000.
	maxRatio = 100
	minPlain = 64 << 10

	// maxReadable bounds what Text returns, in bytes.
	maxReadable = 64 << 10

	// maxText bounds the value of a known key, in bytes.
	maxText = 4 << 10
	// maxFields and maxFieldBytes bound the custom fields: their number, and the bytes of names and values together.
	maxFields     = 256
	maxFieldBytes = 64 << 10

	// maxObjects bounds the number of opened nested objects, maxDown their depth: that of conversation.subscriber is
	// two.
	maxObjects = 64
	maxDown    = 2

	// maxLabel bounds a key's name in DecodeError, in bytes.
	maxLabel = 64

	// maxScratch bounds the buffers that are kept from one body for the next, in bytes.
	maxScratch = 64 << 10
)
