package exchange

// Bounds of what one message may hold.
const (
	maxMessage = 16 << 20 // bytes: one record of a file of 1.8 TiB
	maxFolders = 1024
	maxOffers  = 1024
	maxBatch   = 4096 // records
	maxKeys    = 1024 // in one offer or one message
	maxEpochs  = 4096
	maxName    = 64   // bytes
	maxLabel   = 255  // bytes
	maxProblem = 512  // bytes
	maxAnswers = 1024 // that wait to be read

	maxAddress = 256          // bytes
	maxDevice  = 128          // bytes of a device ID in text form
	maxSeen    = 253402300799 // seconds since 1970: the end of the year 9999

	// batchRecords and batchBytes are what a teller puts into one message. A
	// record above batchBytes travels alone.
	batchRecords = 1000
	batchBytes   = 1 << 20
)

// Bounds of what can be told of contacts; what is above them is left out.
const (
	MaxContacts         = 256
	MaxContactAddresses = 16
)
