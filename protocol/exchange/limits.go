package exchange

// Bounds of what one message may hold.
const (
	maxMessage = 16 << 20 // bytes: one record of a file of 1.8 TiB
	maxFolders = 1024
	maxOffers  = 1024
	maxBatch   = 4096 // records
	maxKeys    = 1024
	maxName    = 64   // bytes
	maxLabel   = 255  // bytes
	maxProblem = 512  // bytes
	maxAnswers = 1024 // that wait to be read

	// batchRecords and batchBytes are what a teller puts into one message. A
	// record above batchBytes travels alone.
	batchRecords = 1000
	batchBytes   = 1 << 20
)
