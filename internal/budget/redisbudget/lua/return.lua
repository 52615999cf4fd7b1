-- Uncount one call of the window that began at ARGV[3], if it is still the current window.
local begin, used = current()
if begin == tonumber(ARGV[3]) and used > 0 then
	save(begin, used - 1)
end
return 1
