package vault

// mapAhead is zero where a mapping makes the file as long as itself.
const mapAhead = 0
