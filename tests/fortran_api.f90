! park from Fortran: what include/park.f90 promises.
!   gfortran -std=f2018 -Wall -Wextra -g -Jbuild include/park.f90 tests/fortran_api.f90 -Ltarget/release -lpark -Wl,-rpath,target/release
module seen
  use, intrinsic :: iso_fortran_env, only: real64
  implicit none
  real(real64) :: done = -1, total = -1
  integer :: calls = 0
contains
  subroutine note(now_done, now_total, seconds_left)
    real(real64), intent(in) :: now_done, now_total, seconds_left
    done = now_done
    total = now_total
    calls = calls + 1
    if (.not. seconds_left < huge(seconds_left)) error stop 'seconds_left is no number'
  end subroutine note
end module seen

module streamed
  use, intrinsic :: iso_c_binding
  use park, only: PARK_END
  implicit none
  integer, parameter :: last = 5000, failing = 300, failure = 77
contains
  ! Items are numbers x; results x**2, or both (x, x**2). Each is told apart by its index.
  function square(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x, y
    call c_f_pointer(input, x)
    call c_f_pointer(output, y)
    y = x**2
    status = merge(0, 1, c_associated(job) .and. .not. c_associated(user) .and. index >= 0)
  end function square

  function both(job, input, output, index, user) bind(c) result(status)
    type(c_ptr), value :: job, input, output, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x, y(:)
    call c_f_pointer(input, x)
    call c_f_pointer(output, y, [2])
    y = [x, x**2]
    status = merge(failure, 0, index == failing)
    if (.not. c_associated(job) .or. c_associated(user)) status = 1
  end function both

  function count_up(job, item, index, user) bind(c) result(status)
    type(c_ptr), value :: job, item, user
    integer(c_int64_t), value :: index
    integer(c_int) :: status
    real(c_double), pointer :: x
    call c_f_pointer(item, x)
    x = real(index, c_double)
    status = merge(PARK_END, 0, index == last)
    if (.not. c_associated(job) .or. c_associated(user)) status = 1
  end function count_up
end module streamed

program fortran_api
  use, intrinsic :: iso_fortran_env, only: int32, int64, real32, real64
  use, intrinsic :: iso_c_binding, only: c_int
  use park
  use seen
  use streamed
  implicit none
  integer :: failed = 0

  call test_a_loop_from_open_to_close
  call test_every_kind_of_number_is_progress
  call test_the_best_is_read_back
  call test_variables_are_exposed_once
  call test_a_stop_waits_for_the_loops_own_checkpoint
  call test_an_abort_and_a_failure_have_their_exit_codes
  call test_results_of_an_array_come_in_order
  call test_a_source_ends_and_every_item_is_told_once
  call test_a_stream_that_is_wrong_is_told
  call test_what_is_wrong_is_told
  if (failed > 0) error stop 1

contains

  subroutine check(condition, what)
    logical, intent(in) :: condition
    character(*), intent(in) :: what
    if (.not. condition) then
       failed = failed + 1
       print '(2a)', 'not ok ', what
    end if
  end subroutine check

  subroutine finish(name, before)
    character(*), intent(in) :: name
    integer, intent(in) :: before
    if (failed == before) print '(2a)', 'ok ', name
  end subroutine finish

  subroutine test_a_loop_from_open_to_close
    type(park_handler) :: job
    integer :: step, before
    before = failed
    call job%open('fortran')
    call job%set_units('steps')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call check(job%state() == PARK_STATE_RUNNING, 'open attaches')
    do step = 1, 100
       call job%progress(step, 100)
       if (job%ready() /= PARK_OK) exit
       call check(calls == step .and. nint(done) == step .and. nint(total) == 100, 'the callback sees the progress')
    end do
    call check(step == 101, 'nobody ended the loop')
    call job%log(PARK_LOG_INFO, 'Grüße')
    call job%close()
    call check(job%exit_code() == 0, 'exit code after close')
    call job%close()
    call finish('a_loop_from_open_to_close', before)
  end subroutine test_a_loop_from_open_to_close

  subroutine test_every_kind_of_number_is_progress
    type(park_handler) :: job
    integer :: before
    integer(c_int) :: status
    before = failed
    call job%open('kinds')
    call job%set_delta(PARK_PROGRESS_DELTA, 0d0)
    call job%on_progress(note)
    call job%progress(1_int32, 9_int32)
    status = job%ready()
    call check(nint(done) == 1 .and. nint(total) == 9, 'int32')
    call job%progress(2_int64, 9_int64)
    status = job%ready()
    call check(nint(done) == 2, 'int64')
    call job%progress(3.0_real32, 9.0_real32)
    status = job%ready()
    call check(nint(done) == 3, 'real32')
    call job%progress(4.0_real64, 0.0_real64)
    status = job%ready()
    call check(nint(done) == 4 .and. total <= 0, 'real64')
    call check(status == PARK_OK, 'ready')
    call job%close()
    call finish('every_kind_of_number_is_progress', before)
  end subroutine test_every_kind_of_number_is_progress

  subroutine test_the_best_is_read_back
    type(park_handler) :: job
    real(real64) :: value, state(3), found(3)
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('best')
    value = 7
    call check(job%best(value) == PARK_UNKNOWN .and. nint(value) == 7, 'no best yet')
    state = [1d0, 2d0, 3d0]
    call job%improved(0.5d0, state, status)
    call check(status == PARK_OK, 'improved')
    state = 0
    call check(job%best(value, found) == PARK_OK, 'best')
    call check(abs(value - 0.5d0) <= 0 .and. all(nint(found) == [1, 2, 3]), 'the best was copied')
    call job%signal(PARK_ABORT)
    call job%improved(0.25d0, [4d0, 5d0, 6d0])
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call job%detach()
    call check(job%best(value, found) == PARK_OK .and. abs(value - 0.25d0) <= 0 .and. nint(found(3)) == 6, 'after an abort')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'exit code')
    call finish('the_best_is_read_back', before)
  end subroutine test_the_best_is_read_back

  subroutine test_variables_are_exposed_once
    type(park_handler) :: job
    real(real64), target :: alpha, field(4)
    integer(int64), target :: count, counts(2)
    integer(c_int) :: status
    integer :: before
    before = failed
    alpha = 0.1d0
    field = 0
    count = 1
    counts = 2
    call job%open('variables')
    call job%expose('alpha', alpha, min=0d0, max=0.5d0, status=status)
    call check(status == PARK_OK, 'expose a real')
    call job%expose('field', field, status=status)
    call check(status == PARK_OK, 'expose reals')
    call job%expose('count', count, min=0_int64, status=status)
    call check(status == PARK_OK, 'expose an integer')
    call job%expose('counts', counts, max=9_int64, status=status)
    call check(status == PARK_OK, 'expose integers')
    call job%expose('alpha', alpha, status=status)
    call check(status == PARK_EXISTS, 'exposed once')
    call check(index(job%last_error(), 'alpha') > 0, 'the error names it')
    call job%expose('wrong', alpha, min=1d0, max=0d0, status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'limits that are none')
    call job%describe('alpha', 'm', 'a length', status)
    call check(status == PARK_OK, 'describe')
    call job%describe('beta', 'm', 'a length', status)
    call check(status == PARK_UNKNOWN, 'describe what is not there')
    call job%close()
    call finish('variables_are_exposed_once', before)
  end subroutine test_variables_are_exposed_once

  subroutine test_a_stop_waits_for_the_loops_own_checkpoint
    type(park_handler) :: job
    integer(c_int) :: status
    integer :: before
    before = failed
    call job%open('stop')
    call check(job%ready() == PARK_OK, 'ready')
    call check(.not. job%checkpoint_due(), 'not due')
    call job%signal(PARK_STOP, status)
    call check(status == PARK_OK, 'stop is asked for')
    call check(job%ready() == PARK_OK, 'it may still save')
    call check(job%checkpoint_due(), 'due')
    call job%checkpoint_done(.true.)
    call check(job%ready() == PARK_STOPPED, 'stopped')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_CHECKPOINTED, 'exit code 85')
    call finish('a_stop_waits_for_the_loops_own_checkpoint', before)
  end subroutine test_a_stop_waits_for_the_loops_own_checkpoint

  subroutine test_an_abort_and_a_failure_have_their_exit_codes
    type(park_handler) :: job
    integer :: before
    before = failed
    call job%open('exit codes')
    call job%fail('out of tea')
    call job%close()
    call check(job%exit_code() == 1, 'failed')
    call job%open('again')
    call job%signal(PARK_PAUSE)
    call job%signal(PARK_ABORT)
    call check(job%ready() == PARK_ABORTED, 'aborted')
    call check(job%ready() == PARK_ABORTED, 'and it stays')
    call job%close()
    call check(job%exit_code() == PARK_EXIT_ABORTED, 'aborted')
    call finish('an_abort_and_a_failure_have_their_exit_codes', before)
  end subroutine test_an_abort_and_a_failure_have_their_exit_codes

  subroutine test_results_of_an_array_come_in_order
    type(park_handler) :: job
    type(park_imap) :: results
    real(real64), allocatable, target :: numbers(:)
    real(real64) :: y
    integer(int64) :: index, expected
    integer(c_int) :: code
    integer :: i, before
    before = failed
    allocate (numbers(2*last))
    numbers(:) = [(real(i, real64), i=1, 2*last)]
    call job%open('array')
    call job%set_workers(2)
    call results%open(job, square, numbers)
    expected = 0
    do while (results%next(y, index, code) == PARK_OK)
       call check(index == expected .and. code == 0 .and. nint(y, int64) == (index + 1)**2, 'a result')
       expected = expected + 1
    end do
    call check(expected == size(numbers), 'all of them')
    call results%close()
    ! Every second one, in its place.
    call results%open(job, square, numbers(2::2), as_completed=.true., in_flight=10)
    expected = 0
    do while (results%next(y, index) == PARK_OK)
       call check(nint(y, int64) == (2*index + 2)**2, 'a result of a section')
       expected = expected + index
    end do
    call check(expected == int(last, int64)*(last - 1)/2, 'each once')
    call results%close()
    call results%open(job, square, numbers(1:0))
    call check(results%next(y) == PARK_END, 'nothing of nothing')
    call results%close()
    call job%close()
    call finish('results_of_an_array_come_in_order', before)
  end subroutine test_results_of_an_array_come_in_order

  subroutine test_a_source_ends_and_every_item_is_told_once
    type(park_handler) :: job
    type(park_imap) :: results
    real(real64) :: pair(2), y
    integer(int64) :: index, told, sum_told
    integer(c_int) :: status, code
    integer :: before
    before = failed
    call job%open('source')
    call job%set_workers(2)
    call results%open(job, square, count_up)
    told = 0
    do
       status = results%next(y, index)
       if (status /= PARK_OK) exit
       call check(index == told .and. nint(y, int64) == index**2, 'a result')
       told = told + 1
    end do
    call check(status == PARK_END .and. told == last, 'it ends')
    call check(results%next(y) == PARK_END, 'and stays so')
    call results%close()
    ! An item fails: all before it come, then what was fetched is told.
    call results%open(job, both, count_up, result_size=2)
    told = 0
    do
       status = results%next(pair, index, code)
       if (status /= PARK_OK) exit
       call check(index == told .and. nint(pair(1), int64) == index .and. nint(pair(2), int64) == index**2, 'a pair')
       told = told + 1
    end do
    call check(status == PARK_FAILED .and. told == failing, 'those before it')
    call check(index == failing .and. code == failure, 'and which it is')
    call check(scan(job%last_error(), '3') > 0, 'the sentence too')
    sum_told = 0
    do while (results%rest(pair, index, code) == PARK_OK)
       told = told + 1
       call check(index == told .and. (code == 0 .or. code == PARK_NOT_RUN), 'the rest')
       if (code == 0) call check(nint(pair(2), int64) == index**2, 'a result of the rest')
       sum_told = sum_told + 1
    end do
    call check(sum_told <= 1024, 'no more than may be in flight')
    call results%close()
    ! Gone on, though one failed.
    call results%open(job, both, count_up, result_size=2, go_on=.true.)
    told = 0
    do
       status = results%next(pair, index, code)
       if (status /= PARK_OK) exit
       call check((code == failure) .eqv. (index == failing), 'one fails')
       told = told + 1
    end do
    call check(status == PARK_FAILED .and. told == last, 'all but one are done')
    call results%close()
    ! Closed in the middle.
    call results%open(job, square, count_up)
    call check(results%next(y) == PARK_OK, 'the first')
    call results%close()
    ! Aborted.
    call results%open(job, square, count_up)
    call check(results%next(y) == PARK_OK, 'the first')
    call job%signal(PARK_ABORT)
    do
       status = results%next(y)
       if (status /= PARK_OK) exit
    end do
    call check(status == PARK_ABORTED, 'aborted')
    call results%close()
    call job%close()
    call finish('a_source_ends_and_every_item_is_told_once', before)
  end subroutine test_a_source_ends_and_every_item_is_told_once

  subroutine test_a_stream_that_is_wrong_is_told
    type(park_handler) :: job, never_opened
    type(park_imap) :: results
    real(real64), target :: numbers(3)
    real(real64) :: y, pair(2)
    integer(c_int) :: status
    integer :: before
    before = failed
    numbers = 1
    call results%open(never_opened, square, numbers, status=status)
    call check(status < 0, 'of no job')
    call check(results%next(y) == PARK_INVALID_HANDLE, 'next of nothing')
    call results%close(status)
    call check(status == PARK_OK, 'close of nothing')
    call job%open('wrong', attach=.false.)
    call results%open(job, square, numbers, status=status)
    call check(status < 0, 'not attached')
    call check(len(job%last_error()) > 0, 'and its sentence')
    call job%attach()
    call results%open(job, square, numbers, in_flight=-1, status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'a bound that is none')
    call results%open(job, square, numbers(3:1:-1), status=status)
    call check(status == PARK_INVALID_ARGUMENT, 'backwards')
    call check(index(job%last_error(), 'in_stride') > 0, 'and its sentence')
    call results%open(job, square, numbers, status=status)
    call check(status == PARK_OK, 'open')
    call results%open(job, square, numbers, status=status)
    call check(status == PARK_BUSY, 'opened twice')
    call check(results%next(pair) == PARK_INVALID_ARGUMENT, 'a result of another size')
    call check(results%rest(y) == PARK_BUSY, 'no rest before the end')
    call check(results%next(y) == PARK_OK, 'it is as it was')
    call results%close()
    call job%close()
    call finish('a_stream_that_is_wrong_is_told', before)
  end subroutine test_a_stream_that_is_wrong_is_told

  subroutine test_what_is_wrong_is_told
    type(park_handler) :: job, never_opened
    integer(c_int) :: status
    integer :: before
    before = failed
    call check(never_opened%ready() == PARK_INVALID_HANDLE, 'ready of nothing')
    call never_opened%progress(1, 2)
    call check(never_opened%exit_code() == 1, 'exit code of nothing')
    call never_opened%close()
    call job%open('', status=status)
    call check(status < 0, 'a name that is none')
    call check(index(job%last_error(), 'name') > 0, 'and its sentence')
    call job%open('open', attach=.false., status=status)
    call check(status == PARK_OK .and. job%state() == PARK_STATE_IDLE, 'not attached')
    call check(job%ready() == PARK_NOT_RUNNING, 'not running')
    call job%set_delta(PARK_PROGRESS_DELTA, -1d0, status)
    call check(status == PARK_INVALID_ARGUMENT, 'a delta that is none')
    call job%attach(status)
    call check(status == PARK_OK, 'attach')
    call job%attach(status)
    call check(status == PARK_BUSY, 'attached twice')
    call job%close(status)
    call check(status == PARK_OK, 'close')
    call finish('what_is_wrong_is_told', before)
  end subroutine test_what_is_wrong_is_told

end program fortran_api
