package slab

import "github.com/edsrzf/mmap-go"

const access = mmap.RDWR
