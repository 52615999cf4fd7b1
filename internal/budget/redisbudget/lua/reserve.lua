-- Count one call, unless the window already has ARGV[3] calls. Return when the window began, how
-- many calls it has, and whether this call was counted.
local begin, used = current()
if used >= tonumber(ARGV[3]) then
	return {begin, used, 0}
end
save(begin, used + 1)
return {begin, used + 1, 1}
