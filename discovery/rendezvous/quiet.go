package rendezvous

import (
	"os"
	"sync"

	logging "github.com/ipfs/go-log/v2"
)

// quiet silences the loggers of the DHT's libraries, which write to the standard
// error on their own, unless somebody who looks for a fault has set their level.
// What matters is told by [Board.Health].
var quiet = sync.OnceFunc(func() {
	if os.Getenv("GOLOG_LOG_LEVEL") != "" || os.Getenv("IPFS_LOGGING") != "" {
		return
	}
	for _, name := range []string{"dht", "dht.pb", "dht/RtRefreshManager", "dht/RtDiversityFilter", "dht/netsize", "diversityFilter", "table", "providers", "ipns"} {
		_ = logging.SetLogLevel(name, "fatal") // a name that there is not has nothing to say
	}
})
