//go:build !unix

package tree

import "os"

func allocated(*os.File) (int64, error) { return 0, nil }
