package traffic

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// powerSupply is where the kernel tells of batteries and mains.
const powerSupply = "/sys/class/power_supply"

// ReadPower looks what the machine runs on.
func ReadPower() Power { return readPower(powerSupply) }

// readPower counts the batteries of the machine alone, not those of a mouse.
// It runs on them while one of them is discharged and no mains is on.
func readPower(dir string) (p Power) {
	all, _ := os.ReadDir(dir)
	batteries, sum, discharges := 0, 0, false
	for _, e := range all {
		of := func(name string) string {
			b, _ := os.ReadFile(filepath.Join(dir, e.Name(), name))
			return strings.TrimSpace(string(b))
		}
		switch of("type") {
		case "Mains", "USB":
			if of("online") == "1" {
				return Power{}
			}
		case "Battery":
			percent, err := strconv.Atoi(of("capacity"))
			if of("scope") == "Device" || of("present") == "0" || err != nil {
				continue
			}
			batteries++
			sum += percent
			discharges = discharges || of("status") == "Discharging"
		}
	}
	if batteries == 0 || !discharges {
		return Power{}
	}
	return Power{Battery: true, Percent: sum / batteries}
}
