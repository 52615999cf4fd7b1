-- Count one call, unless the window has ARGV[3] of them. Return when the window began, how many
-- calls it has, and whether this one was counted.
local begin, used = current()
if used >= tonumber(ARGV[3]) then
	return {begin, used, 0}
end
save(begin, used + 1)
return {begin, used + 1, 1}
