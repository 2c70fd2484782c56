# SPDX-License-Identifier: MIT
value = 7
