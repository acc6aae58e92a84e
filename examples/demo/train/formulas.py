"""Functions that are no filtering loop: arithmetic, slices, texts, two lists, numbers taken apart.

A recipe is `titles | parameters | body`; {a:role:T} in the parameters declares a variable `a` with
a role's names and an argument type, and the body uses A, in capitals. Variables that are no
parameters stand behind a semicolon. Lines are parted by ` / ` and deeper ones begin with `>`; a
division is spelled `÷`. Where a line offers <one||other>, one is drawn; each choice is
a cell of its own. A line that begins with blanks goes on with the one before.
"""
import re

from shapes import Function

RECIPES = """
{w}_area area_of_{w} | a:number:j b:number2:j | return A * B
{w}_perimeter edge_of_{w} | a:number:j b:number2:j | return 2 * (A + B)
{w}_gap {w}_difference | a:number:k b:number2:j | return A - B
{w}_distance | a:number:i b:number2:i | return abs(A - B)
{w}_volume | a:number:j b:number2:j c:other:j | return A * B * C
steps_to_{w} | a:number:i b:number2:i c:low:i d:high:i | return abs(A - C) + abs(B - D)
{w}_with_tax taxed_{w} | a:number:k b:number2:j | return A + A * B // 100
{w}_after_discount cheaper_{w} | a:number:k b:number2:j | return A - A * B // 100
pages_of_{ws} {w}_pages | a:number:k b:number2:j | return (A + B - 1) // B
full_boxes_of_{ws} | a:number:k b:number2:j | return A // B
left_over_{ws} spare_{ws} | a:number:k b:number2:j | return A % B
share_of_{ws} | a:number:k b:number2:i | if B == 0: / >return 0 / return A ÷ B
{w}_is_even even_{w} | a:number:k | return A % 2 == 0
{w}_is_odd odd_{w} | a:number:k | return A % 2 == 1
{w}_is_positive | a:number:m | return A > 0
{w}_fits | a:number:i b:limit:i | return A <= B
{w}_exceeds | a:number:i b:limit:i | return A > B
{w}_divides | a:number:k b:number2:j | return A % B == 0
{w}_in_range | a:number:i b:low:i c:high:h | return <B <= A <= C||A >= B and A <= C>
{w}_off_range | a:number:i b:low:i c:high:h | return <A < B or A > C||not (B <= A <= C)>
clamp_{w} limit_{w} | a:number:m b:low:i c:high:h | return max(B, min(C, A))
clip_{w} bound_{w} | a:number:m b:low:i c:high:h | if A < B: / >return B / if A > C: /
    >return C / return A
larger_{w} bigger_{w} | a:number:i b:number2:i | <if A > B: / >return A /
    return B||return max(A, B)||return A if A > B else B>
smaller_{w} lesser_{w} | a:number:i b:number2:i | <if A < B: / >return A /
    return B||return min(A, B)||return A if A < B else B>
sign_of_{w} {w}_sign | a:number:m | if A > 0: / >return 1 / if A < 0: / >return -1 / return 0
plain_{w} {w}_size | a:number:m | <if A < 0: / >return -A / return A||return abs(A)>
negate_{w} | a:number:m | return -A
middle_{w} | a:number:i b:number2:i | return (A + B) ÷ 2
next_{w} | a:number:i b:number2:j | return (A + 1) % B
previous_{w} | a:number:i b:number2:j | return (A - 1) % B
round_up_{w} | a:number:k b:number2:j | if A % B == 0: / >return A / return A + B - A % B
round_down_{w} | a:number:k b:number2:j | return A - A % B
grade_{w} | a:number:k | if A >= 90: / >return "high" / if A >= 50: / >return "middle" /
    return "low"
fee_for_{w} | a:number:k b:limit:j | if A > B: / >return (A - B) * 2 / return 0
both_{ws} | a:number:m b:number2:m | return A > 0 and B > 0
either_{w} | a:number:m b:number2:m | return A > 0 or B > 0
one_{w}_only | a:number:m b:number2:m | return (A > 0) != (B > 0)
sum_to_{w} | a:limit:j ; t:total i:index | T = 0 / for I in range(1, A + 1): / >T += I / return T
squares_to_{w} | a:limit:j ; t:total i:index | T = 0 / for I in range(1, A + 1): / >T += I * I /
    return T
ways_to_order_{ws} | a:limit:n ; t:total i:index | T = 1 / for I in range(2, A + 1): / >T *= I /
    return T
{w}_power | a:number:n b:number2:n ; t:total i:index | T = 1 / for I in range(B): /
    ><T *= A||T = T * A> / return T
powers_of_{w} | a:number:n b:number2:n ; o:out i:index | O = [] / for I in range(B): /
    >O.append(A ** I) / return O
multiples_of_{w} | a:number:j b:number2:n ; o:out i:index | O = [] / for I in range(1, B + 1): /
    >O.append(A * I) / return O
count_down_{w} | a:limit:n ; o:out | O = [] / while A > 0: / >O.append(A) / >A -= 1 / return O
evens_up_to_{w} | a:limit:j ; o:out i:index | O = [] / for I in range(0, A + 1, 2): /
    >O.append(I) / return O
digit_sum_{w} digits_of_{w} | a:number:N ; t:total | T = 0 / while A > 0: / >T += A % 10 /
    >A //= 10 / return T
digit_count_{w} | a:number:N ; c:count | C = 0 / while A > 0: / >C += 1 / >A //= 10 / return C
reverse_digits_{w} | a:number:N ; t:total | T = 0 / while A > 0: / >T = T * 10 + A % 10 /
    >A //= 10 / return T
digital_product_{w} | a:number:N ; t:total | T = 1 / while A > 0: / >T *= A % 10 / >A //= 10 /
    return T
halvings_of_{w} | a:number:N ; c:count | C = 0 / while A > 1: / >A //= 2 / >C += 1 / return C
common_{w}_step | a:number:j b:number2:j | while B: / >A, B = B, A % B / return A
{w}_is_prime | a:number:j ; i:index | if A < 2: / >return False / for I in range(2, A): /
    >if A % I == 0: / >>return False / return True
divisors_of_{w} | a:number:j ; o:out i:index | O = [] / for I in range(1, A + 1): /
    >if A % I == 0: / >>O.append(I) / return O
growth_of_{w} | a:number:j b:number2:n ; i:index | for I in range(B): / >A += A // 2 / return A
nth_{w} rabbit_{ws} | a:limit:j ; x:low y:high i:index | X = 0 / Y = 1 / for I in range(A): /
    >X, Y = Y, X + Y / return X
days_until_{w} | a:number:j b:limit:h ; c:count | C = 0 / while A < B: / >A += A / >C += 1 /
    return C
hops_to_{w} | a:limit:k b:number2:j ; c:count | C = 0 / while A > 0: / >A -= B / >C += 1 / return C
first_{w} head_{w} | a:list:M | return A[0]
last_{w} final_{w} | a:list:M | return A[-1]
second_{w} | a:list:Y | return A[1]
next_to_last_{w} | a:list:Y | return A[-2]
take_{ws} first_{ws} | a:list:L b:number2:n | return A[:B]
drop_{ws} skip_{ws} | a:list:L b:number2:n | return A[B:]
last_few_{ws} | a:list:M b:number2:j | return A[-B:]
all_but_last_{w} | a:list:M | return A[:-1]
all_but_first_{w} | a:list:M | return A[1:]
inner_{ws} | a:list:Y | return A[1:-1]
every_other_{w} | a:list:L | return A[::2]
reverse_{ws} flip_{ws} | a:list:L | return A[::-1]
ends_of_{ws} | a:list:M | return [A[0], A[-1]]
middle_of_{ws} | a:list:M | return A[len(A) // 2]
{w}_at nth_of_{ws} | a:list:M b:number2:n | if B < len(A): / >return A[B] / return None
rotate_{ws} | a:list:M | return A[1:] + A[:1]
rotate_back_{ws} | a:list:M | return A[-1:] + A[:-1]
swap_ends_of_{ws} | a:list:Y ; o:out | O = list(A) / O[0], O[-1] = O[-1], O[0] / return O
{ws}_in_half | a:list:L ; h:low | H = len(A) // 2 / return A[:H], A[H:]
any_{ws} have_{ws} | a:list:L | return len(A) > 0
no_{ws} without_{ws} | a:list:L | return len(A) == 0
enough_{ws} | a:list:L b:limit:n | return len(A) >= B
too_many_{ws} | a:list:L b:limit:n | return len(A) > B
has_{w} holds_{w} | a:list:L b:target:i | return B in A
lacks_{w} misses_{w} | a:list:L b:target:i | return B not in A
how_often_{w} | a:list:L b:target:i | return A.count(B)
average_{w} mean_{w} | a:list:L | if <not A||len(A) == 0>: / >return 0 / return sum(A) ÷ len(A)
range_of_{ws} spread_of_{ws} | a:list:M | return max(A) - min(A)
largest_of_{ws} | a:list:M ; b:best x:item | B = A[0] / for X in A: / >if X > B: / >>B = X /
    return B
smallest_of_{ws} | a:list:M ; b:best x:item | B = A[0] / for X in A: / >if X < B: / >>B = X /
    return B
place_of_largest_{w} | a:list:M ; b:best i:index | B = 0 / for I in range(1, len(A)): /
    >if A[I] > A[B]: / >>B = I / return B
place_of_smallest_{w} | a:list:M ; b:best i:index | B = 0 / for I in range(1, len(A)): /
    >if A[I] < A[B]: / >>B = I / return B
second_largest_{w} | a:list:Y | return sorted(A)[-2]
median_{w} | a:list:M ; o:out | O = sorted(A) / return O[len(O) // 2]
top_{ws} | a:list:L b:number2:n | return sorted(A, reverse=True)[:B]
lowest_{ws} | a:list:L b:number2:n | return sorted(A)[:B]
rank_{ws} | a:list:L | return sorted(A, reverse=True)
order_{ws} | a:list:L | return sorted(A)
{ws}_in_order | a:list:L ; i:index | for I in range(1, len(A)): / >if A[I] < A[I - 1]: /
    >>return False / return True
{ws}_falling | a:list:L ; i:index | for I in range(1, len(A)): / >if A[I] > A[I - 1]: /
    >>return False / return True
rises_of_{ws} | a:list:L ; c:count i:index | C = 0 / for I in range(1, len(A)): /
    >if A[I] > A[I - 1]: / >>C += 1 / return C
steps_between_{ws} | a:list:L ; o:out i:index | O = [] / for I in range(len(A) - 1): /
    >O.append(A[I + 1] - A[I]) / return O
neighbour_sums_of_{ws} | a:list:L ; o:out i:index | O = [] / for I in range(len(A) - 1): /
    >O.append(A[I] + A[I + 1]) / return O
widest_step_of_{ws} | a:list:Y ; b:best i:index | B = 0 / for I in range(1, len(A)): /
    >B = max(B, A[I] - A[I - 1]) / return B
peaks_of_{ws} | a:list:L ; o:out i:index | O = [] / for I in range(1, len(A) - 1): /
    >if A[I] > A[I - 1] and A[I] > A[I + 1]: / >>O.append(A[I]) / return O
repeats_of_{ws} | a:list:L ; c:count i:index | C = 0 / for I in range(1, len(A)): /
    >if A[I] == A[I - 1]: / >>C += 1 / return C
running_{ws} | a:list:L ; t:total o:out x:item | T = 0 / O = [] / for X in A: / >T += X /
    >O.append(T) / return O
running_max_of_{ws} | a:list:M ; b:best o:out x:item | B = A[0] / O = [] / for X in A: /
    >B = max(B, X) / >O.append(B) / return O
running_min_of_{ws} | a:list:M ; b:best o:out x:item | B = A[0] / O = [] / for X in A: /
    >B = min(B, X) / >O.append(B) / return O
distinct_{ws} | a:list:L ; o:out x:item | O = [] / for X in A: / >if X not in O: /
    >>O.append(X) / return O
twice_seen_{ws} | a:list:L ; o:out x:item | O = [] / for X in A: /
    >if A.count(X) > 1 and X not in O: / >>O.append(X) / return O
all_same_{ws} | a:list:M ; x:item | for X in A: / >if X != A[0]: / >>return False / return True
shift_{ws} | a:list:L b:number2:i ; o:out x:item | <O = [] / for X in A: / >O.append(X + B) /
    return O||return [X + B for X in A]>
scale_{ws} | a:list:L b:number2:i ; o:out x:item | <O = [] / for X in A: / >O.append(X * B) /
    return O||return [X * B for X in A]>
cap_{ws} | a:list:L b:limit:i ; o:out x:item | <O = [] / for X in A: / >O.append(min(X, B)) /
    return O||return [min(X, B) for X in A]>
floor_{ws} | a:list:L b:limit:i ; x:item | return [max(X, B) for X in A]
spread_out_{ws} | a:list:L ; o:out x:item | O = [] / for X in A: / >O.extend([X, 0]) / return O
echo_{ws} | a:list:L ; o:out x:item | O = [] / for X in A: / >O.append(X) / >O.append(X) / return O
alternate_{ws} | a:list:L ; t:total s:other x:item | T = 0 / S = 1 / for X in A: / >T += S * X /
    >S = -S / return T
weighted_{ws} | a:list:L ; t:total i:index | T = 0 / for I in range(len(A)): /
    >T += A[I] * (I + 1) / return T
pairs_of_{ws} | a:list:L ; o:out i:index | O = [] / for I in range(0, len(A) - 1, 2): /
    >O.append((A[I], A[I + 1])) / return O
chunks_of_{ws} | a:list:L b:number2:J ; o:out i:index | O = [] / for I in range(0, len(A), B): /
    >O.append(A[I:I + B]) / return O
flatten_{ws} merge_{ws} | a:grid:G ; o:out x:row | O = [] / for X in A: / >O.extend(X) / return O
row_sums_of_{ws} | a:grid:G ; o:out x:row | O = [] / for X in A: / >O.append(sum(X)) / return O
column_of_{ws} | a:grid:S b:index:z ; x:row | return [X[B] for X in A]
diagonal_of_{ws} | a:grid:S ; o:out i:index | O = [] / for I in range(len(A)): /
    >O.append(A[I][I]) / return O
turn_{ws} | a:grid:S ; o:out i:index x:row | O = [] / for I in range(len(A[0])): /
    >O.append([X[I] for X in A]) / return O
longest_row_of_{ws} | a:grid:G ; b:best x:row | B = [] / for X in A: / >if len(X) > len(B): /
    >>B = X / return B
dot_{ws} | a:list:E b:list:E ; t:total i:index | T = 0 / for I in range(len(A)): /
    >T += A[I] * B[I] / return T
add_{ws} | a:list:E b:list:E ; x:item y:number2 | return [X + Y for X, Y in zip(A, B)]
subtract_{ws} | a:list:E b:list:E ; x:item y:number2 | return [X - Y for X, Y in zip(A, B)]
better_of_{ws} | a:list:E b:list:E ; x:item y:number2 | return [max(X, Y) for X, Y in zip(A, B)]
matching_{ws} | a:list:E b:list:E ; c:count x:item y:number2 | C = 0 / for X, Y in zip(A, B): /
    >if X == Y: / >>C += 1 / return C
wins_of_{ws} | a:list:E b:list:E ; c:count x:item y:number2 | C = 0 / for X, Y in zip(A, B): /
    >if X > Y: / >>C += 1 / return C
common_{ws} shared_{ws} | a:list:L b:list:L ; x:item | return [X for X in A if X in B]
missing_{ws} | a:list:L b:list:L ; x:item | return [X for X in A if X not in B]
apart_{ws} | a:list:L b:list:L ; x:item | for X in A: / >if X in B: / >>return False / return True
cover_{ws} | a:list:L b:list:L ; x:item | for X in B: / >if X not in A: / >>return False /
    return True
join_{ws} chain_{ws} | a:list:L b:list:L | return A + B
interleave_{ws} | a:list:E b:list:E ; o:out x:item y:number2 | O = [] / for X, Y in zip(A, B): /
    >O.append(X) / >O.append(Y) / return O
stock_of_{w} {w}_in_stock | a:mapping:D b:key:s | return A.get(B, 0)
has_{w}_key | a:mapping:D b:key:s | return B in A
sum_of_{ws} | a:mapping:D ; t:total k:key | T = 0 / for K in A: / >T += A[K] / return T
best_{w} top_{w} | a:mapping:X ; b:best k:key | B = None / for K in A: /
    >if B is None or A[K] > A[B]: / >>B = K / return B
worst_{w} lowest_{w} | a:mapping:X ; b:best k:key | B = None / for K in A: /
    >if B is None or A[K] < A[B]: / >>B = K / return B
names_of_{ws} | a:mapping:D | return sorted(A.keys())
amounts_of_{ws} | a:mapping:D | return sorted(A.values())
turn_{w}_table | a:mapping:D ; o:out k:key | O = {} / for K in A: / >O[A[K]] = K / return O
merge_{w}_tables | a:mapping:D b:mapping:D ; o:out k:key | O = dict(A) / for K in B: /
    >O[K] = O.get(K, 0) + B[K] / return O
raise_{ws} | a:mapping:D b:number2:j ; o:out k:key | O = {} / for K in A: / >O[K] = A[K] + B /
    return O
add_to_{w} | a:mapping:D b:key:s c:number2:j ; o:out | O = dict(A) / O[B] = O.get(B, 0) + C /
    return O
sell_{w} take_{w}_out | a:mapping:D b:key:s c:number2:j ; o:out | O = dict(A) /
    O[B] = max(O.get(B, 0) - C, 0) / return O
count_{w}_words | a:text:t | return len(A.split())
count_{w}_letters | a:text:t | return len(A.replace(" ", ""))
shout_{w} | a:text:s | return A.upper()
whisper_{w} | a:text:S1 | return A.lower()
tidy_{w} trim_{w} | a:text:p | return A.strip()
reverse_{w}_text | a:text:s | return A[::-1]
{w}_is_mirrored | a:text:s | return A == A[::-1]
initials_of_{w} | a:text:t ; t:total x:word | T = "" / for X in A.split(): / >T += X[0] / return T
shorten_{w} | a:text:t b:limit:n | if len(A) <= B: / >return A / return A[:B] + "..."
pad_{w} | a:text:s b:limit:h | return A.rjust(B)
widen_{w} | a:text:s b:limit:h | while len(A) < B: / >A = A + "." / return A
repeat_{w} | a:text:s b:number2:n | return A * B
full_{w} {w}_label | a:text:s b:number2:s | return A + ":" + B
dash_{w} | a:text:t | return A.replace(" ", "-")
{w}_slug | a:text:t | return A.lower().replace(" ", "_")
first_word_of_{w} | a:text:t | return A.split()[0]
last_word_of_{w} | a:text:t | return A.split()[-1]
longest_word_of_{w} | a:text:t ; b:best x:word | B = "" / for X in A.split(): /
    >if len(X) > len(B): / >>B = X / return B
shortest_word_of_{w} | a:text:t ; b:best x:word | B = A / for X in A.split(): /
    >if len(X) < len(B): / >>B = X / return B
swap_words_of_{w} | a:text:t | return " ".join(A.split()[::-1])
ordered_words_of_{w} | a:text:t | return " ".join(sorted(A.split()))
capital_{w} | a:text:s | return A[:1].upper() + A[1:]
without_first_of_{w} | a:text:s | return A[1:]
without_last_of_{w} | a:text:s | return A[:-1]
{w}_begins_with | a:text:s b:char:c | return A.startswith(B)
{w}_ends_with | a:text:s b:char:c | return A.endswith(B)
{w}_contains | a:text:s b:char:c | return B in A
place_in_{w} | a:text:s b:char:c | return A.find(B)
last_place_in_{w} | a:text:s b:char:c | return A.rfind(B)
letter_count_{w} | a:text:s b:char:c | return A.count(B)
join_{w}_list | a:words:W b:char:c | return B.join(A)
lengths_of_{ws} | a:words:W ; x:word | return [len(X) for X in A]
longest_of_{ws} | a:words:V ; b:best x:word | B = A[0] / for X in A: / >if len(X) > len(B): /
    >>B = X / return B
letters_in_{ws} | a:words:W ; t:total x:word | T = 0 / for X in A: / >T += len(X) / return T
number_{ws} | a:words:W ; o:out i:index x:word | O = [] / for I, X in enumerate(A): /
    >O.append(str(I + 1) + ". " + X) / return O
greet_{w} | a:text:s | return "hello " + A
{w}_price_tag | a:text:s b:number:k | return A + ": " + str(B)
{w}_time | a:number:N | return str(A // 60) + ":" + str(A % 60)
{w}_seconds | a:number:j b:number2:j | return A * 60 + B
{w}_minutes | a:number:N | return A // 60, A % 60
balanced_{w} | a:text:b ; d:count x:char | D = 0 / for X in A: / >if X == "(": / >>D += 1 /
    >if X == ")": / >>D -= 1 / >if D < 0: / >>return False / return D == 0
deepest_{w} | a:text:b ; d:count m:best x:char | D = 0 / M = 0 / for X in A: / >if X == "(": /
    >>D += 1 / >>M = max(M, D) / >if X == ")": / >>D -= 1 / return M
squeeze_{w} | a:text:d ; o:total x:char | O = "" / for X in A: / >if O[-1:] != X: / >>O += X /
    return O
shift_{w}_letters | a:text:s ; o:total x:char | O = "" / for X in A: / >O += chr(ord(X) + 1) /
    return O
valid_{w} | a:text:s b:limit:n c:limit:h | return B <= len(A) <= C
valid_{w}_code | a:text:s b:limit:n | return A.isalpha() and len(A) >= B
open_{w} | a:number:i b:low:i c:high:h | return not (A < B or A >= C)
afford_{w} | a:number:k b:number2:j c:limit:j | return A - B * C >= 0
change_for_{w} | a:number:k b:number2:j | if A < B: / >return None / return A - B
toggle_{w} | a:number:z | return 1 - A
leap_{w} | a:number:Y1 | return A % 4 == 0 and A % 100 != 0
triangle_{w} | a:number:j b:number2:j c:other:j | return A + B > C and A + C > B and B + C > A
equal_{ws} | a:number:i b:number2:i c:other:i | return A == B and B == C
spot_{w} find_{w} | a:list:L b:target:i ; i:index | for I in range(len(A)): / >if A[I] == B: /
    >>return I / return -1
last_spot_{w} | a:list:L b:target:i ; i:index | for I in range(len(A) - 1, -1, -1): /
    >if A[I] == B: / >>return I / return -1
nearest_{w} | a:list:M b:target:i ; m:best x:item | M = A[0] / for X in A: /
    >if abs(X - B) < abs(M - B): / >>M = X / return M
insert_{w} | a:list:L b:number2:i | return A + [B]
put_{w}_first | a:list:L b:number2:i | return [B] + A
remove_{w} | a:list:L b:target:i ; x:item | return [X for X in A if X != B]
swap_{w} | a:list:L b:target:i c:number2:i ; x:item | return [C if X == B else X for X in A]
pour_{w} | a:number:i b:number2:i c:limit:h | return min(A + B, C)
drain_{w} | a:number:i b:number2:i | return max(A - B, 0)
count_pairs_of_{ws} | a:list:L b:target:i ; c:count i:index j:other | C = 0 /
    for I in range(len(A)): / >for J in range(I + 1, len(A)): / >>if A[I] + A[J] == B: /
    >>>C += 1 / return C
bigger_pairs_of_{ws} | a:list:L ; c:count i:index j:other | C = 0 / for I in range(len(A)): /
    >for J in range(I + 1, len(A)): / >>if A[I] > A[J]: / >>>C += 1 / return C
times_table_of_{w} | a:limit:n ; o:out i:index j:other | O = [] / for I in range(1, A + 1): /
    >O.append([I * J for J in range(1, A + 1)]) / return O
triangle_of_{ws} | a:limit:n ; o:out i:index | O = [] / for I in range(1, A + 1): /
    >O.append("*" * I) / return O
"""


class Recipe:
    def __init__(self, line):
        titles, params, body = (part.strip() for part in line.split(" | "))
        declared, _, local = params.partition(";")
        self.titles = titles.split()
        self.params = [part.split(":") for part in declared.split()]
        self.local = [part.split(":") for part in local.split()]
        self.body = body
        self.key = self.titles[0]


def _choose(rng, text):
    """Draws one of each <this||that>; the numbers of the draws are part of the cell."""
    drawn = []

    def draw(match):
        options = match.group(1).split("||")
        drawn.append(rng.randrange(len(options)))
        return options[drawn[-1]]

    # An option holds comparisons, so only a pair of brackets with || inside counts.
    return re.sub(r"<((?:(?!\|\|).)*?\|\|.*?)>(?=$|:| /)", draw, text), drawn


ALL = [Recipe(line) for line in re.sub(r"\n {4}", " ", RECIPES.strip()).splitlines()]


def draw(namer):
    rng = namer.rng
    recipe = rng.choice(ALL)
    text, drawn = _choose(rng, recipe.body)
    values = {}
    params = []
    for key, role, kind in recipe.params:
        values[key.upper()] = namer.var(role, namer.noun)
        params.append((values[key.upper()], kind))
    for key, role in recipe.local:
        if re.search(r"\b%s\b" % key.upper(), text):
            values[key.upper()] = namer.var(role)
    lines = []
    for part in text.split(" / "):
        depth = len(part) - len(part.lstrip(">"))
        line = re.sub(r"\b[A-Z]\b", lambda m: values.get(m.group(), m.group()), part[depth:])
        line = line.replace("÷", "/")
        lines.append("    " * (depth + 1) + line)
    cell = "formula/" + recipe.key + "".join("/%d" % number for number in drawn)
    return Function(cell, namer.title(*recipe.titles), params, lines)
