-- Return when the current window began, and how many calls it has.
local begin, used = current()
return {begin, used}
