// Package folder owns one folder.
package folder
