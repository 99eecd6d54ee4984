package certificate

// Look is the interval at which Files.Run reads the files.
var Look = &look
